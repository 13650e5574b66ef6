package authority

// transport copies a cluster's transport sockets with keys of the test.
func (b *bootstrap) transport(from, to object) {
	if socket, ok := from["transport_socket"].(object); ok {
		b.certify(socket)
		to["transport_socket"] = socket
	}
	if matches, ok := from["transport_socket_matches"]; ok {
		for _, m := range list(from, "transport_socket_matches") {
			if socket, ok := m["transport_socket"].(object); ok {
				b.certify(socket)
			}
		}
		to["transport_socket_matches"] = matches
	}
}

// certify replaces what a TLS context reads from SDS by the test's own keys.
func (b *bootstrap) certify(socket object) {
	config, _ := socket["typed_config"].(object)
	if inner, ok := config["transport_socket"].(object); ok {
		b.certify(inner)
		return
	}
	common, ok := config["common_tls_context"].(object)
	if !ok {
		return
	}
	_, own := common["tls_certificates"]
	if _, sds := common["tls_certificate_sds_secret_configs"]; sds || own {
		delete(common, "tls_certificate_sds_secret_configs")
		common["tls_certificates"] = []any{object{"certificate_chain": object{"inline_string": b.keys.chain},
			"private_key": object{"inline_string": b.keys.key}}}
	}
	for _, field := range []string{"combined_validation_context", "validation_context",
		"validation_context_sds_secret_config"} {
		if _, ok := common[field]; ok {
			delete(common, field)
			common["validation_context"] = object{"trusted_ca": object{"inline_string": b.keys.root}}
		}
	}
}
