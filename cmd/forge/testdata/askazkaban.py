"""Asks Azkaban something by its own Python client: askazkaban.py HOST:PORT PASSWORD COMMAND [ARGUMENT...]

create PROJECT; upload PROJECT ZIP; run PROJECT FLOW, whose answer is the execution's as JSON, once it has
ended; log EXECUTION JOB. What Azkaban refuses ends the program with 1.
"""
import json
import sys
import time

from azkaban.remote import Session
from azkaban.util import AzkabanError

LASTING = ("READY", "PREPARING", "RUNNING", "QUEUED")


def run(session, project, flow):
    execution = session.run_workflow(project, flow)["execid"]
    while True:
        status = session.get_execution_status(execution)
        if status["status"] not in LASTING:
            return json.dumps({"execution": execution, "status": status["status"], "jobs": {n["id"]: n["status"] for n in status["nodes"]}})
        time.sleep(0.5)


def log(session, execution, job):
    return session.get_job_logs(execution, job)["data"]


COMMANDS = {
    "create": lambda session, project: session.create_project(project, "a test's"),
    "upload": lambda session, project, path: session.upload_project(project, path),
    "run": run,
    "log": log,
}

if __name__ == "__main__":
    server, password, command = sys.argv[1:4]
    try:
        print(COMMANDS[command](Session("http://azkaban:%s@%s" % (password, server), attempts=1), *sys.argv[4:]))
    except AzkabanError as error:
        sys.exit(str(error))
