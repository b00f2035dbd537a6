package org.example.mesos;

import java.util.List;
import org.apache.hadoop.mapred.JobConf;
import org.apache.mesos.Protos;
import org.apache.mesos.Scheduler;
import org.apache.mesos.SchedulerDriver;

/** Declines every offer. */
public class IdleScheduler implements Scheduler {
    private final JobConf conf;

    public IdleScheduler(JobConf conf) {
        this.conf = conf;
    }

    /** The role that the job's configuration names. */
    public String role() {
        return conf.get("mapred.mesos.role", "*");
    }

    @Override public void registered(SchedulerDriver d, Protos.FrameworkID id, Protos.MasterInfo m) {}
    @Override public void reregistered(SchedulerDriver d, Protos.MasterInfo m) {}
    @Override public void resourceOffers(SchedulerDriver d, List<Protos.Offer> offers) {
        for (Protos.Offer o : offers) {
            d.declineOffer(o.getId());
        }
    }
    @Override public void offerRescinded(SchedulerDriver d, Protos.OfferID id) {}
    @Override public void statusUpdate(SchedulerDriver d, Protos.TaskStatus s) {}
    @Override public void frameworkMessage(SchedulerDriver d, Protos.ExecutorID e, Protos.SlaveID s, byte[] data) {}
    @Override public void disconnected(SchedulerDriver d) {}
    @Override public void slaveLost(SchedulerDriver d, Protos.SlaveID s) {}
    @Override public void executorLost(SchedulerDriver d, Protos.ExecutorID e, Protos.SlaveID s, int status) {}
    @Override public void error(SchedulerDriver d, String message) {}
}
