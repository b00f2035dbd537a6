# A removed package must not leave its daemons running; an upgrade leaves them alone.
if [ "$1" = remove ]; then
	for forge_job in{{range .Jobs}} {{.}}{{end}}; do
		if initctl status "$forge_job" 2>/dev/null | grep -q start/; then
			initctl stop "$forge_job" >/dev/null || true
		fi
	done
fi
