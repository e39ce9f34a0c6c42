#!/usr/bin/env python3
"""A tick without records costs a small, constant number of system calls."""
import socket
import sys

from laws import folder, main, pipeline, system_calls

PULLED = """
batch: { every: 100ms }
sources:
  in:
    files: { path: 'nothing/*.jsonl' }
    format: json
    time: { at: fromMillis(n), idle: 1h }
streams:
  out:
    from: in
    ops:
      - key_by: city
      - window: { size: 1000s, slide: 1s }
      - aggregate: { c: count() }
sinks:
  sink: { from: out, null: {} }
"""
PUSHED = """
batch: { every: 100ms }
sources:
  in: { socket: { listen: '127.0.0.1:PORT' } }
sinks:
  sink: { from: in, null: {} }
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def per_tick(text):
    """50 ticks and 100 ticks: what the further 50 cost, each."""
    with folder() as d:
        file = pipeline(d, text)
        few = sum(system_calls(d, file, "--until", "5s", "--threads", 4).values())
        calls = system_calls(d, file, "--until", "10s", "--threads", 4)
        cost = (sum(calls.values()) - few) / 50
        print(f"{cost} system calls per idle tick; in all {calls}")
        return cost


def test_an_idle_tick_of_a_windowed_pipeline_costs_few_system_calls():
    assert per_tick(PULLED) <= 6


def test_an_idle_tick_with_a_source_that_listens_costs_few_system_calls():
    assert per_tick(PUSHED.replace("PORT", str(free_port()))) <= 10


main(sys.modules[__name__])
