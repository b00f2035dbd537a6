# Sourced by bin/hadoop of the archive from which Mesos starts TaskTrackers: an executor's environment is empty.
export JAVA_HOME="${JAVA_HOME:-/usr/lib/jvm/java-17-openjdk-amd64}"
