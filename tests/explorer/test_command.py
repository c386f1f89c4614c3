"""The command `explore`, as a user calls it."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

CALL = [sys.executable, "-c", "from lowerbound.cli import main; main()", "explore"]


def begun(*words):
    """The process of an explorer, what it has printed until it said its address, and the address."""
    process = subprocess.Popen([*CALL, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    printed = ""
    for line in process.stdout:
        printed += line
        if found := re.search(r"Explorer: (http://\S+)", line):
            return process, printed, found[1]
    pytest.fail(printed)


def test_it_serves_until_it_is_interrupted_and_says_that_the_port_was_taken(small_run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process, printed, address = begun(small_run.directory, "--no-browser", "--port", port)
        try:
            assert f"Port {port} is in use" in printed
            assert "60 of the 60 test rows, 2 latent dimensions" in printed
            assert int(address.rstrip("/").rpartition(":")[2]) > port
            with urllib.request.urlopen(address, timeout=30) as answer:
                assert b"<title>" in answer.read()
        finally:
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert rest == "Explorer: ended.\n"


def test_other_data_for_the_map_must_fit_the_model(command, small_run, table_file):
    answer = command("explore", small_run.directory, table_file, "--no-browser")
    assert answer.code == 2
    assert "was trained on images of 8 × 8" in answer.error


def test_an_address_that_this_machine_does_not_have_gets_one_sentence(command, small_run):
    answer = command("explore", small_run.directory, "--host", "192.0.2.1", "--no-browser")
    assert answer.code == 2
    assert "choose another --host" in answer.error
    assert answer.error.count("\n") == 1
