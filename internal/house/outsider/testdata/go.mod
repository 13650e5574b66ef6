module example.org/outsider

go 1.26

require github.com/flowproof/lab v0.0.0

replace github.com/flowproof/lab => ../../../..
