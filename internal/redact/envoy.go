package redact

// sensitive are the fields of Envoy's messages that are annotated udpa.annotations.sensitive in its
// API (release 1.40), and those of its extensions that hold a secret without being annotated, by
// names that have no other meaning in a dump.
var sensitive = set(`private_key password pkcs12 session_ticket_keys generic_secret auth_password auth_passwords
auth_username downstream_auth_password downstream_auth_passwords downstream_auth_username secret_data
backend_token web_identity_token_data_source credentials_data_source secret_access_key session_token
access_key_id token_secret hmac_secret client_secret access_token refresh_token id_token bearer_token api_key
passphrase client_key_data client_certificate_data auth_info data_source_token inline_credential
trusted_shared_secret shared_secret json_key signing_key encryption_key hmac_key`)

// sensitiveIn are fields whose names mean other things in other messages, by the last part of
// the message's type.
var sensitiveIn = map[string]map[string]bool{
	"BasicAuth": set("users"), "BasicAuthPerRoute": set("users"),
	"ApiKeyAuth": set("credentials"), "ApiKeyAuthPerRoute": set("credentials"),
	"ExtAuthz": set("context_extensions initial_metadata"), "ExtAuthzPerRoute": set("context_extensions"),
	"CheckSettings": set("context_extensions"), "TlsSessionTicketKeys": set("keys"),
	"GenericSecret":      set("secret secrets"),
	"PrivateKeyProvider": set("typed_config"), "CryptoMbPrivateKeyMethodConfig": set("private_key"),
	"Generic": set("credential"), "CredentialInjector": set("credential"), "OAuth2": set("token_secret hmac_secret"),
	"RedisProxy":               set("auth_password auth_username password username"),
	"RedisProtocolOptions":     set("auth_password auth_username"),
	"InlineCredentialProvider": set("access_key_id secret_access_key session_token"),
	"Basic":                    set("password"), "ClientSideWeightedRoundRobin": nil,
	"AwsRequestSigning": set("secret_access_key session_token access_key_id"),
}

// references are fields whose strings only say where a secret is.
var references = set(`filename environment_variable @type name path cluster authority sds_config
path_config_source watched_directory resource_api_version initial_fetch_timeout provider_name header_name client
token_endpoint uri timeout key_source type_url`)

// matchers are the fields by which a header or a query parameter is matched, in any object.
var matchers = set(`exact_match safe_regex_match regex_match range_match prefix_match suffix_match contains_match ` +
	`string_match`)

// matched are the fields whose objects of a name match a header, a query parameter or a cookie. All
// that such an object holds is taken for what is matched: a field of a later Envoy too.
var matched = set(`headers header query_parameters cookies retriable_headers retriable_request_headers`)

// jwkSecrets are the members of a JSON Web Key that are private (RFC 7518, section 6).
var jwkSecrets = set("d p q dp dq qi k oth")
