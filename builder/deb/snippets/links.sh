# Services that another package brings a script for start at no runlevel: forge-node starts them.
for forge_service in{{range .Services}} {{.}}{{end}}; do
	if [ -e "/etc/init.d/$forge_service" ]; then
		update-rc.d "$forge_service" disable >/dev/null
	fi
done
