# hack/engine.bash is sourced by hack/test and hack/soak: a Docker engine of their own.

# start_docker DIR starts an engine without networks below DIR, waits until it answers, and leaves its process id in
# dockerd_pid and its address in FORGE_TEST_DOCKER. What starts it ends it.
start_docker() {
	local dir=$1 i
	mkdir "$dir"
	echo {} >"$dir/config.json" # in place of the host's settings
	# Its own session: an interrupt at the terminal reaches it through its starter's cleanup alone.
	setsid /usr/sbin/dockerd --host "unix://$dir/docker.sock" --data-root "$dir/data" --exec-root "$dir/exec" \
		--pidfile "$dir/pid" --config-file "$dir/config.json" --bridge=none --iptables=false --ip6tables=false \
		--ip-forward=false >"$dir/log" 2>&1 &
	dockerd_pid=$!
	for ((i = 0; i < 150; i++)); do
		if docker --host "unix://$dir/docker.sock" version >/dev/null 2>&1; then
			export FORGE_TEST_DOCKER=unix://$dir/docker.sock
			return
		fi
		kill -0 "$dockerd_pid" 2>/dev/null || break
		sleep 0.2
	done
	tail -n 20 "$dir/log" >&2
	die "dockerd doesn't answer; the end of its log is above"
}
