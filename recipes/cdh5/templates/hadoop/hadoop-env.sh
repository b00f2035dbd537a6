# Written by forge-node from the inventory; changes here are lost.
# Sourced for daemons and clients alike. What a service sets in /etc/default/SERVICE wins.

export JAVA_HOME="${JAVA_HOME:-/usr/lib/jvm/java-7-openjdk-amd64}"
export HADOOP_HEAPSIZE="${HADOOP_HEAPSIZE:-256}"
