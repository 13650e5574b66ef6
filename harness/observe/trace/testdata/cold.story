        0 µs  envoy wrk:worker_1 fd 39: accept 172.21.206.197:46102 → 172.21.206.198:15006
      114 µs  envoy wrk:worker_1 fd 39: getsockopt(SO_ORIGINAL_DST) = 172.21.206.198:8080
      165 µs  envoy wrk:worker_1 fd 39: tls_inspector.cc:112 onAccept "tls inspector: new connection accepted"
      261 µs  envoy wrk:worker_1 fd 39: sni = "outbound_.8080_._.fortio-server.mark.svc.cluster.local"
      308 µs  envoy wrk:worker_1 fd 39: filter.chain = "0.0.0.0_8080"
      326 µs  envoy wrk:worker_1 fd 39: epoll_ctl ADD IN|OUT|ET
      383 µs  envoy wrk:worker_1 fd 39: read 5 bytes, TLS handshake
      626 µs  envoy wrk:worker_1 fd 39: write 1291 bytes, ServerHello TLSv1.3 cipher 0x1301 resumed
     1660 µs  envoy wrk:worker_1 fd 39: upstream request begins
     1808 µs  envoy wrk:worker_1 fd 41: connect 127.0.0.6:57056 → 172.21.206.198:8080
     1919 µs  envoy wrk:worker_1 fd 39: upstream request is written to fd 41
     1946 µs  envoy wrk:worker_1 fd 41: write 383 bytes, "GET / HTTP/1.1" x-request-id 11111111-2222-4333-8444-555555555555
     2118 µs  fortio fd 13: accept 127.0.0.6:57056 → 172.21.206.198:8080
     2806 µs  envoy wrk:worker_1 fd 41: read 75 bytes, "HTTP/1.1 200 OK"
     3201 µs  envoy wrk:worker_1 fd 39: write 3834 bytes, TLS application_data
