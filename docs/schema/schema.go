// Package schema holds the JSON Schemas of what the command writes with -o json, as files.
package schema

import "embed"

// Files are the schemas, NAME.vN.json, one a form and version of it.
//
//go:embed *.json
var Files embed.FS
