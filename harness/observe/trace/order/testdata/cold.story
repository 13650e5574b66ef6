        0 µs  envoy wrk:worker_1 fd 39: accept 172.21.206.197:58524 → 172.21.206.198:15006
       77 µs  envoy wrk:worker_1 fd 39: getsockopt(SO_ORIGINAL_DST) = 172.21.206.198:8080
       84 µs  envoy wrk:worker_1 fd 39: tls_inspector.cc:112 onAccept "tls inspector: new connection accepted"
      713 µs  envoy wrk:worker_1 fd 39: sni = "outbound_.8080_._.fortio-server.mark.svc.cluster.local"
      943 µs  envoy wrk:worker_1 fd 39: filter.chain = "0.0.0.0_8080"
     1029 µs  envoy wrk:worker_1 fd 39: epoll_ctl ADD IN|OUT|ET
     1173 µs  envoy wrk:worker_1 fd 39: read 5 bytes, TLS handshake
     1897 µs  envoy wrk:worker_1 fd 39: write 1291 bytes, ServerHello TLSv1.3 cipher 0x1301 resumed
     3335 µs  envoy wrk:worker_1 fd 39: upstream request begins
     3678 µs  envoy wrk:worker_1 fd 42: connect 127.0.0.6:34830 → 172.21.206.198:8080
     4299 µs  envoy wrk:worker_1 fd 39: upstream request is given fd 42
     4468 µs  envoy wrk:worker_1 fd 42: write 383 bytes, "GET / HTTP/1.1" x-request-id 11111111-2222-4333-8444-555555555555
     4861 µs  fortio fd 13: read 383 bytes, "GET / HTTP/1.1" x-request-id 11111111-2222-4333-8444-555555555555
     5232 µs  envoy wrk:worker_1 fd 42: read 75 bytes, "HTTP/1.1 200 OK"
     7062 µs  envoy wrk:worker_1 fd 39: write 3834 bytes, TLS application_data
