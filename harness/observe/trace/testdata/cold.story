        0 µs  envoy wrk:worker_1 fd 39: accept 172.21.206.196:46430 → 172.21.206.198:15006
       68 µs  envoy wrk:worker_1 fd 39: getsockopt(SO_ORIGINAL_DST) = 172.21.206.198:8080
       74 µs  envoy wrk:worker_1 fd 39: tls_inspector.cc:112 onAccept "tls inspector: new connection accepted"
      558 µs  envoy wrk:worker_1 fd 39: sni = "outbound_.8080_._.fortio-server.mark.svc.cluster.local"
      644 µs  envoy wrk:worker_1 fd 39: filter.chain = "0.0.0.0_8080"
      673 µs  envoy wrk:worker_1 fd 39: epoll_ctl ADD IN|OUT|ET
      742 µs  envoy wrk:worker_1 fd 39: read 5 bytes, TLS handshake
     1061 µs  envoy wrk:worker_1 fd 39: write 1291 bytes, ServerHello TLSv1.3 cipher 0x1301 resumed
     2242 µs  envoy wrk:worker_1 fd 39: upstream request begins
     2401 µs  envoy wrk:worker_1 fd 42: connect 127.0.0.6:51262 → 172.21.206.198:8080
     2463 µs  envoy wrk:worker_1 fd 39: upstream request is given fd 42
     2515 µs  envoy wrk:worker_1 fd 42: write 383 bytes, "GET / HTTP/1.1" x-request-id 11111111-2222-4333-8444-555555555555
     2574 µs  fortio fd 13: accept 127.0.0.6:51262 → 172.21.206.198:8080
     2826 µs  envoy wrk:worker_1 fd 42: read 75 bytes, "HTTP/1.1 200 OK"
     3148 µs  envoy wrk:worker_1 fd 39: write 3834 bytes, TLS application_data
