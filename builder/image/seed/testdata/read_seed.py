"""Reads a seed with cloud-init's own code and prints what came of it, as JSON.

usage: read_seed.py SOURCE PLACE WORK

SOURCE  nocloud | configdrive: PLACE is a folder with the seed's files
        ec2: PLACE is the URL of a metadata service
WORK    an empty folder; instance-data.json and its kin are left in WORK/run
"""
import json
import os
import shutil
import sys

from cloudinit import distros, handlers, helpers
from cloudinit.handlers import cloud_config, shell_script
from cloudinit.net import network_state, networkd
from cloudinit.sources import DataSourceConfigDrive, DataSourceEc2, DataSourceNoCloud

source, place, work = sys.argv[1:]
run, lib = os.path.join(work, "run"), os.path.join(work, "lib")
os.makedirs(run)
os.makedirs(os.path.join(lib, "seed"))
paths = helpers.Paths({"run_dir": run, "cloud_dir": lib})
config = {"datasource": {"Ec2": {"strict_id": False, "metadata_urls": [place], "max_wait": 10, "timeout": 5}}}
distro = distros.fetch("debian")("debian", config, paths)

if source == "nocloud":
    shutil.copytree(place, os.path.join(lib, "seed", "nocloud"))
    ds = DataSourceNoCloud.DataSourceNoCloud(config, distro, paths)
elif source == "configdrive":
    shutil.copytree(place, os.path.join(lib, "seed", "config_drive"))
    ds = DataSourceConfigDrive.DataSourceConfigDrive(config, distro, paths)
else:
    ds = DataSourceEc2.DataSourceEc2(config, distro, paths)
    ds._cloud_name = DataSourceEc2.CloudNames.AWS  # else it asks this machine's firmware

assert ds._get_data(), "the data source found nothing"
assert ds.persist_instance_data(write_cache=False), "no instance data"

paths.datasource = ds
merged = cloud_config.CloudConfigPartHandler(paths)
merged.cloud_fn = os.path.join(work, "cloud-config")
merged.handle_part(None, handlers.CONTENT_START, None, None, None, None)
scripts = []
for part in ds.get_userdata().walk():
    if part.is_multipart():
        continue
    kind, body = part.get_content_type(), part.get_payload(decode=True)
    if kind == "text/cloud-config":
        merged.handle_part(None, kind, part.get_filename(), body.decode(), "always", dict(part))
    else:
        scripts.append([kind, part.get_filename(), body.decode()])
config = merged.cloud_buf
merged.handle_part(None, handlers.CONTENT_END, None, None, None, None)

units = {}
if source != "ec2" and ds.network_config:
    state = network_state.parse_net_config_data(ds.network_config)
    units = networkd.Renderer({})._render_content(state)

json.dump({"instance_id": ds.get_instance_id(), "hostname": str(getattr(ds.get_hostname(), "hostname", ds.get_hostname())),
           "config": config, "scripts": scripts, "networkd": units}, sys.stdout)
