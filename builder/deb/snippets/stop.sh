# A removed package must not leave its daemons running; an upgrade leaves them alone.
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	deb-systemd-invoke stop{{range .Units}} {{.}}{{end}} >/dev/null || true
fi
