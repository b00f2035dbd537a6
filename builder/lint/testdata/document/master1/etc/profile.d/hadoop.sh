export HADOOP_MAPRED_HOME=/usr/lib/hadoop-0.20-mapreduce
export MESOS_NATIVE_JAVA_LIBRARY=/usr/local/lib/libmesos.so
