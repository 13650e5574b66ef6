package filters

// networkTable is the catalogue of network filters. A type that begins with a point is one of envoy.extensions.filters.network.
var networkTable = newTable("envoy.extensions.filters.network", "configuration/listeners/network_filters/", []Row{
	{".http_connection_manager.v3.HttpConnectionManager", "envoy.filters.network.http_connection_manager", Ends, true, "", "configuration/http/http_conn_man/http_conn_man"},
	{".reverse_tunnel.v3.DrainAwareHttpConnectionManager", "envoy.filters.network.reverse_tunnel_drain_aware_http_connection_manager", Ends, false,
		"the connection manager that it wraps", "reverse_tunnel_filter"},
	{".tcp_proxy.v3.TcpProxy", "envoy.filters.network.tcp_proxy", Ends, true, "", "tcp_proxy_filter"},
	{".echo.v3.Echo", "envoy.filters.network.echo", Answer | Ends, true, "", "echo_filter"},
	{".direct_response.v3.Config", "envoy.filters.network.direct_response", Answer | Ends, true, "", "direct_response_filter"},
	{".redis_proxy.v3.RedisProxy", "envoy.filters.network.redis_proxy", Ends, true, "the Redis command", "redis_proxy_filter"},
	{".thrift_proxy.v3.ThriftProxy", "envoy.filters.network.thrift_proxy", Ends, false, "the Thrift message", "thrift_proxy_filter"},
	{".dubbo_proxy.v3.DubboProxy", "envoy.filters.network.dubbo_proxy", Ends, false, "the Dubbo message", "dubbo_proxy_filter"},
	{".generic_proxy.v3.GenericProxy", "envoy.filters.network.generic_proxy", Ends, false, "the message of its protocol", "generic_proxy_filter"},
	{".reverse_tunnel.v3.ReverseTunnel", "envoy.filters.network.reverse_tunnel", Answer | Ends, false, "the tunnel's handshake", "reverse_tunnel_filter"},

	{".rbac.v3.RBAC", "envoy.filters.network.rbac", Answer | Metadata, true, "", "rbac_filter"},
	{".sni_cluster.v3.SniCluster", "envoy.filters.network.sni_cluster", Cluster, true, "", "sni_cluster_filter"},
	{".set_filter_state.v3.Config", "envoy.filters.network.set_filter_state", Metadata | Cluster, true, "", "set_filter_state"},
	{".sni_dynamic_forward_proxy.v3.FilterConfig", "envoy.filters.network.sni_dynamic_forward_proxy", Host, true, "DNS", "sni_dynamic_forward_proxy_filter"},
	{".ext_authz.v3.ExtAuthz", "envoy.filters.network.ext_authz", Answer | Metadata, false, "an authorization service", "ext_authz_filter"},
	{".ext_proc.v3.NetworkExternalProcessor", "envoy.filters.network.ext_proc", Answer | Body | Metadata, false, "an external processor", "ext_proc_filter"},
	{".wasm.v3.Wasm", "envoy.filters.network.wasm", Answer | Body | Metadata, false, "a Wasm module", "wasm_filter"},
	{".golang.v3alpha.Config", "envoy.filters.network.golang", Answer | Body | Metadata | Cluster, false, "a Go plugin", "golang_filter"},
	{".dynamic_modules.v3.DynamicModuleNetworkFilter", "envoy.filters.network.dynamic_modules", Answer | Body | Metadata | Cluster, false, "a dynamic module", "dynamic_modules_filter"},
	{".ratelimit.v3.RateLimit", "envoy.filters.network.ratelimit", Answer, false, "a rate limit service", "rate_limit_filter"},
	{".local_ratelimit.v3.LocalRateLimit", "envoy.filters.network.local_ratelimit", Answer, false, "how many connections came before", "local_rate_limit_filter"},
	{".connection_limit.v3.ConnectionLimit", "envoy.filters.network.connection_limit", Answer, false, "how many connections there are", "connection_limit_filter"},
	{".geoip.v3.Geoip", "envoy.filters.network.geoip", Metadata, false, "a geolocation database", "geoip_filter"},
	{".mongo_proxy.v3.MongoProxy", "envoy.filters.network.mongo_proxy", Metadata, true, "", "mongo_proxy_filter"},
	{".zookeeper_proxy.v3.ZooKeeperProxy", "envoy.filters.network.zookeeper_proxy", Metadata, true, "", "zookeeper_proxy_filter"},
	{".tcp_bandwidth_limit.v3.TcpBandwidthLimit", "envoy.filters.network.tcp_bandwidth_limit", Nothing, true, "", "tcp_bandwidth_limit_filter"},

	// Contrib filters, which the server's wheel does not have.
	{".kafka_broker.v3.KafkaBroker", "envoy.filters.network.kafka_broker", Body, false, "the Kafka message", "kafka_broker_filter"},
	{".kafka_mesh.v3alpha.KafkaMesh", "envoy.filters.network.kafka_mesh", Ends, false, "the Kafka message", "kafka_mesh_filter"},
	{".mysql_proxy.v3.MySQLProxy", "envoy.filters.network.mysql_proxy", Metadata, true, "", "mysql_proxy_filter"},
	{".postgres_proxy.v3alpha.PostgresProxy", "envoy.filters.network.postgres_proxy", Metadata | Body, true, "", "postgres_proxy_filter"},
	{".rocketmq_proxy.v3.RocketmqProxy", "envoy.filters.network.rocketmq_proxy", Ends, false, "the RocketMQ message", "rocketmq_proxy_filter"},
	{".sip_proxy.v3alpha.SipProxy", "envoy.filters.network.sip_proxy", Ends, false, "the SIP message", "sip_proxy_filter"},
	{".client_ssl_auth.v3.ClientSSLAuth", "envoy.filters.network.client_ssl_auth", Answer, false, "an authentication service", "client_ssl_auth_filter"},

	// Istio's.
	{"envoy.tcp.metadataexchange.config.MetadataExchange", "istio.metadata_exchange", Nothing, true, "", "source/extensions/filters/network/metadata_exchange"},
	{"stats.PluginConfig", "istio.stats", Nothing, true, "", "source/extensions/filters/http/istio_stats"},
	{"istio.telemetry.statsconfig.Config", "istio.stats_config", Nothing, true, "", "source/extensions/filters/http/istio_stats"},
	{"io.istio.network_authn.Config", "io.istio.network.authn", Metadata, true, "", "source/extensions/filters/network/istio_authn"},
	{"istio.envoy.config.filter.network.tcp_cluster_rewrite.v2alpha1.TcpClusterRewrite", "envoy.filters.network.tcp_cluster_rewrite", Cluster, false,
		"a pattern of cluster names", "source/extensions/filters/network/tcp_cluster_rewrite"},
})

// listenerTable is the catalogue of listener filters.
var listenerTable = newTable("envoy.extensions.filters.listener", "configuration/listeners/listener_filters/", []Row{
	{".original_dst.v3.OriginalDst", "envoy.filters.listener.original_dst", Host, true, "", "original_dst_filter"},
	{".original_src.v3.OriginalSrc", "envoy.filters.listener.original_src", Nothing, true, "", "original_src_filter"},
	{".tls_inspector.v3.TlsInspector", "envoy.filters.listener.tls_inspector", Metadata, true, "", "tls_inspector"},
	{".http_inspector.v3.HttpInspector", "envoy.filters.listener.http_inspector", Metadata, true, "", "http_inspector"},
	{".proxy_protocol.v3.ProxyProtocol", "envoy.filters.listener.proxy_protocol", Answer | Metadata | Host, true, "the PROXY protocol header", "proxy_protocol"},
	{".set_filter_state.v3.Config", "envoy.filters.listener.set_filter_state", Metadata, true, "", "set_filter_state"},
	{".local_ratelimit.v3.LocalRateLimit", "envoy.filters.listener.local_ratelimit", Answer, false, "how many connections came before", "local_rate_limit_filter"},
	{".dynamic_modules.v3.DynamicModuleListenerFilter", "envoy.filters.listener.dynamic_modules", Answer | Metadata | Host, false, "a dynamic module", "dynamic_modules_filter"},
})
