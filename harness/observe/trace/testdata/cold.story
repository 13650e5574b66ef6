        0 µs  envoy wrk:worker_1 fd 39: accept 172.21.206.198:33550 → 172.21.206.197:15006
      109 µs  envoy wrk:worker_1 fd 39: getsockopt(SO_ORIGINAL_DST) = 172.21.206.197:8080
      117 µs  envoy wrk:worker_1 fd 39: tls_inspector.cc:112 onAccept "tls inspector: new connection accepted"
      223 µs  envoy wrk:worker_1 fd 39: sni = "outbound_.8080_._.fortio-server.mark.svc.cluster.local"
      264 µs  envoy wrk:worker_1 fd 39: filter.chain = "0.0.0.0_8080"
      295 µs  envoy wrk:worker_1 fd 39: epoll_ctl ADD IN|OUT|ET
      985 µs  envoy wrk:worker_1 fd 39: read 5 bytes, TLS handshake
     1470 µs  envoy wrk:worker_1 fd 39: write 1291 bytes, ServerHello TLSv1.3 cipher 0x1301 resumed
     2562 µs  envoy wrk:worker_1 fd 39: upstream request begins
     2785 µs  envoy wrk:worker_1 fd 42: connect 127.0.0.6:44822 → 172.21.206.197:8080
     2848 µs  envoy wrk:worker_1 fd 39: upstream request is given fd 42
     2898 µs  envoy wrk:worker_1 fd 42: write 383 bytes, "GET / HTTP/1.1" x-request-id 11111111-2222-4333-8444-555555555555
     2936 µs  fortio fd 13: accept 127.0.0.6:44822 → 172.21.206.197:8080
     3780 µs  envoy wrk:worker_1 fd 42: read 75 bytes, "HTTP/1.1 200 OK"
     4356 µs  envoy wrk:worker_1 fd 39: write 3834 bytes, TLS application_data
