# Written by forge-node from the inventory; changes here are lost.
# Sourced by /usr/lib/hadoop/bin/hadoop for daemons and clients alike. What a
# service sets in /etc/default/SERVICE wins.

export JAVA_HOME="${JAVA_HOME:-/usr/lib/jvm/java-17-openjdk-amd64}"
export HADOOP_HEAPSIZE="${HADOOP_HEAPSIZE:-256}"
# A daemon that has run out of memory answers nobody: let it be started anew.
export HADOOP_OPTS="-XX:+ExitOnOutOfMemoryError ${HADOOP_OPTS:-}"
