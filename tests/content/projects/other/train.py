"""Trains nothing, but behaves: well, or in one of the ways in which projects fail."""

import argparse
import os
import sys
import time

import mlflow_rest

parser = argparse.ArgumentParser()
parser.add_argument("--model-name")
parser.add_argument("--mode")
given = parser.parse_args()
mode = given.mode

print("mode", mode)
if mode == "raises":
    row = {"acidity": 1.0}
    print(row["alcohol"])
if mode == "exits":
    sys.exit(3)
if mode == "for ever":
    time.sleep(600)
while mode.startswith("until ") and not os.path.exists(mode.removeprefix("until ")):
    time.sleep(0.01)
if mode == "tells all":
    for name, value in sorted(os.environ.items()):
        print("variable", name, value)
    for process in (pid for pid in os.listdir("/proc") if pid.isdigit()):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                print("process", file.read())
        except OSError:
            pass
if mode != "silent":
    mlflow_rest.metric("rmse", 0.5)
if mode != "no model":
    print("registered version", mlflow_rest.register(given.model_name))
