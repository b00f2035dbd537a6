# Rendered configuration, logs and caches go, unless another package has them.
# Directories that hold data stay.
forge_foreign() { # path: whether another package has it
	dpkg-query --search "$1" 2>/dev/null | sed 's/: .*//' | tr -d ' ' | tr ',' '\n' | grep -q -v -x '{{.Name}}'
}
if [ "$1" = purge ]; then
	for forge_path in{{range .Purge}} \
		{{.}}{{end}}; do
		forge_foreign "$forge_path" || rm -rf "$forge_path"
	done
{{- range .Dirs}}
	rmdir {{.}} 2>/dev/null || true
{{- end}}
fi
