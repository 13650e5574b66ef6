package main

import (
	"reflect"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

func TestReadCurl(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want flow.Call
	}{
		{"nothing", nil, flow.Call{Method: "GET"}},
		{"a body makes it POST", []string{"--data", "hello"}, flow.Call{Method: "POST"}},
		{"a method that is said stays", []string{"-X", "PUT", "-d", "hello"}, flow.Call{Method: "PUT"}},
		{"only the head", []string{"-I"}, flow.Call{Method: "HEAD"}},
		{"headers", []string{"-H", "End-User: jason", "--header", "x: 1"}, flow.Call{Method: "GET", Headers: map[string]string{"end-user": "jason", "x": "1"}}},
		{"cut off", []string{"-H"}, flow.Call{Method: "GET"}},
		{"what inference need not know", []string{"--max-time", "3", "-k"}, flow.Call{Method: "GET"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := flow.Call{Method: "GET"}
			readCurl(tt.args, &got)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
