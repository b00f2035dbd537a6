# systemd's links and state of the units.
if command -v deb-systemd-helper >/dev/null; then
	if [ "$1" = remove ]; then
		deb-systemd-helper mask{{range .Units}} {{.}}{{end}} >/dev/null || true
	fi
	if [ "$1" = purge ]; then
		deb-systemd-helper purge{{range .Units}} {{.}}{{end}} >/dev/null || true
		deb-systemd-helper unmask{{range .Units}} {{.}}{{end}} >/dev/null || true
	fi
fi
