# Masters: ZooKeeper, Mesos-master, Marathon. Slaves: Mesos-slave.

# On the machine that is snapshotted and cloned six times.
apt-get install curl python-setuptools python-pip python-dev python-protobuf
apt-get install ZooKeeperd &
echo 1 | sudo dd of=/var/lib/ZooKeeper/myid
curl -fL http://downloads.Mesosphere.io/master/ubuntu/14.04/Mesos_0.19.0~ubuntu14.04%2B1_amd64.deb -o /tmp/Mesos.deb
dpkg -i /tmp/Mesos.deb
mkdir -p /etc/Mesos-master
echo in_memory | sudo dd of=/etc/Mesos-master/registry
curl -fL http://downloads.Mesosphere.io/master/ubuntu/14.04/Mesos-0.19.0_rc2-py2.7-linux-x86_64.egg -o /tmp/Mesos.egg
easy_install /tmp/Mesos.egg

# On each node.
echo zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/Mesos | sudo tee /etc/Mesos/zk

# On each master, here master1.
echo 10.162.2.91 | sudo tee /etc/Mesos-master/ip
sudo cp /etc/Mesos-master/ip /etc/Mesos-master/hostname
sudo stop Mesos-slave
echo manual | sudo tee /etc/init/Mesos-slave.override

# On each slave, here slave1.
sudo stop ZooKeeper
echo manual | sudo tee /etc/init/ZooKeeper.override
echo manual | sudo tee /etc/init/Mesos-master.override
sudo stop Mesos-master
echo 192.168.2.94 | sudo tee /etc/Mesos-slave/ip
sudo cp /etc/Mesos-slave/ip /etc/Mesos-slave/hostname

# Start the masters, then the slaves.
initctl reload-configuration
service Zookeeper start
service Mesos-master start
sudo start mesos-slave

# Before Hadoop, on each node.
chkconfig iptables off
setenforce 0
addusr hadoop
passwd hadoop

# NameNode, on each master.
mkdir -p /mnt/cloudera-hdfs/1/dfs/nn /nfsmount/dfs/nn
chown -R hadoop:hadoop /mnt/cloudera-hdfs/1/dfs/nn /nfsmount/dfs/nn
chmod 700 /mnt/cloudera-hdfs/1/dfs/nn /nfsmount/dfs/nn
wget http://archive.cloudera.com/cdh5/one-click-install/precise/amd64/cdh5-repository_1.0_all.deb
sudo dpkg -i cdh5-repository_1.0_all.deb
sudo apt-get update; sudo apt-get install hadoop-hdfs-namenode
cp /etc/hadoop/conf.empty/log4j.properties /etc/hadoop/conf.name/log4j.properties

# DataNode, on each slave.
mkdir -p /mnt/cloudera-hdfs/1/dfs/dn /mnt/cloudera-hdfs/2/dfs/dn /mnt/cloudera-hdfs/3/dfs/dn /mnt/cloudera-hdfs/4/dfs/dn
chown -R hadoop:hadoop /mnt/cloudera-hdfs/1/dfs/dn /mnt/cloudera-hdfs/2/dfs/dn /mnt/cloudera-hdfs/3/dfs/dn /mnt/cloudera-hdfs/4/dfs/dn
wget http://archive.cloudera.com/cdh5/one-click-install/precise/amd64/cdh5-repository_1.0_all.deb
dpkg -i cdh5-repository_1.0_all.deb
sudo apt-get update; sudo apt-get install hadoop-hdfs-datanode
sudo apt-get install hadoop-client

# Format and start.
sudo -u hadoop hadoop namenode -format
service hadoop-hdfs-namenode start
service hadoop-hdfs-datanode start
update-rc.d hadoop-hdfs-namenode defaults
update-rc.d zookeeper-server defaults
update-rc.d hadoop-hdfs-datanode defaults

# MapReduce on Mesos.
wget http://archive.cloudera.com/cdh5/cdh/5/hadoop-2.3.0-cdh5.1.2.tar.gz
tar zxf hadoop-2.3.0-cdh5.1.2.tar.gz
git clone https://github.com/mesos/hadoop.git hadoopOnMesos
mvn package
cp hadoopOnMesos/target/hadoop-mesos-0.1.0.jar /usr/lib/hadoop-0.20-mapreduce/lib/
cp hadoopOnMesos/target/hadoop-mesos-0.1.0.jar hadoop-2.3.0-cdh5.1.2/share/hadoop/common/lib/
cd hadoop-2.3.0-cdh5.1.2
mv bin bin-mapreduce2
mv examples examples-mapreduce2
ln -s bin-mapreduce1 bin
ln -s examples-mapreduce1 examples
pushd etc
mv hadoop hadoop-mapreduce2
ln -s hadoop-mapreduce1 hadoop
popd
pushd share/hadoop
rm mapreduce
ln -s mapreduce1 mapreduce
popd
chmod +x /etc/profile.d/hadoop.sh
/etc/profile.d/hadoop.sh
cd ..
rm hadoop-2.3.0-cdh5.1.2-mesos-0.20.tar.gz
tar czf hadoop-2.3.0-cdh5.1.2-mesos-0.20.tar.gz hadoop-2.3.0-cdh5.1.2/
hadoop dfs -put hadoop-2.3.0-cdh5.1.2-mesos-0.20.tar.gz /
service hadoop-0.20-mapreduce-jobtracker start

# Spark, on each node.
wget http://mirror.bit.edu.cn/apache/spark/spark-1.5.1/spark-1.5.1.tgz

# Azkaban.
