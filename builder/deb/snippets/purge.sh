# Rendered configuration, logs and caches go; directories that hold data stay.
if [ "$1" = purge ]; then
{{- range .Purge}}
	rm -rf {{.}}
{{- end}}
{{- range .PurgeDirs}}
	rmdir {{.}} 2>/dev/null || true
{{- end}}
fi
