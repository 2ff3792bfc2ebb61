"""Ports for servers of tests, which many processes search at the same time."""

import subprocess
import sys
from pathlib import Path

from dev.probes import LOOPBACK, free_port, taken
from tests.dev.programs import ROOT

SEARCH = "from dev.probes import free_port; print(*(free_port() for _ in range(20)))"


def test_processes_that_search_at_once_find_different_ports() -> None:
    command = [sys.executable, "-c", SEARCH]
    searching = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    found = [port for process in searching for port in process.communicate()[0].split()]
    assert len(set(found)) == len(found) == 80


def test_no_port_is_one_that_an_outgoing_connection_takes() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(free_port() < lowest for _ in range(100))


def test_a_port_in_use_is_passed_over() -> None:
    import socket

    before = free_port()
    with socket.create_server((LOOPBACK, before + 1)):
        assert free_port() != before + 1
        assert taken({"MIPRES_API_PORT": before + 1}) == ["MIPRES_API_PORT"]
