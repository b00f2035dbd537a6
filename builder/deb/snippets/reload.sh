# systemd learns of new or gone units. Nothing is started or restarted.
if [ -d /run/systemd/system ]; then
	systemctl --system daemon-reload >/dev/null || true
fi
