"""A network camera by RTSP: a server of a few lines sends JPEGs over RTP inside its TCP connection."""

import itertools
import socket
import struct
import threading

import numpy as np
import pytest

from foveal.core.errors import TemporaryError
from foveal.stream.shot import Incident
from told import frames

av = pytest.importorskip("av")

SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 26\r\na=control:track0\r\n"
)


def rtp_packets(array: np.ndarray) -> list[bytes]:
    """One picture as RTP packets of a JPEG (RFC 2435), as FFmpeg makes them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.5)
        address = f"rtp://127.0.0.1:{receiver.getsockname()[1]}?localrtcpport=0"
        with av.open(address, "w", format="rtp") as container:
            stream = container.add_stream("mjpeg", rate=25, options={"huffman": "default"})
            stream.width, stream.height, stream.pix_fmt = array.shape[1], array.shape[0], "yuvj420p"
            stream.codec_context.thread_count = 1  # several would cut the picture in slices
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
        packets = []
        while True:
            try:
                packets.append(receiver.recv(65536))
            except TimeoutError:
                return packets


class Server:
    """Answers OPTIONS, DESCRIBE, SETUP and PLAY, and then sends pictures until it is switched off."""

    def __init__(self, packets: list[bytes]) -> None:
        self.packets, self.requests = packets, []
        self.mute = False
        self.port = 0
        self.on()

    def on(self) -> None:
        self.off_now = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        self.url = f"rtsp://127.0.0.1:{self.port}/live"
        threading.Thread(target=self._accept, args=(self.listener, self.off_now), daemon=True).start()

    def off(self) -> None:
        if self.off_now.is_set():
            return
        self.off_now.set()
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
        self.listener.close()

    def _accept(self, listener, off) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client, off), daemon=True).start()

    def _serve(self, client, off) -> None:
        with client, client.makefile("rb") as lines:
            while line := lines.readline():
                method, head = line.split()[0].decode(), {}
                self.requests.append(line.decode().strip())
                while (text := lines.readline().decode().strip()) != "":
                    name, _, value = text.partition(":")
                    head[name.lower()] = value.strip()
                extra, body = "", ""
                if method == "DESCRIBE":
                    extra, body = f"Content-Base: {self.url}/\r\nContent-Type: application/sdp\r\n", SDP
                elif method == "SETUP":
                    extra = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
                elif method == "OPTIONS":
                    extra = "Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n"
                answer = (
                    f"RTSP/1.0 200 OK\r\nCSeq: {head['cseq']}\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
                )
                client.sendall((answer + body).encode())
                if method == "PLAY":
                    self._play(client, off)
                    return

    def _play(self, client, off) -> None:
        number = 0
        try:
            for picture in itertools.count():
                if self.mute:
                    off.wait()
                    return
                for packet in self.packets:
                    stamped = bytearray(packet)
                    stamped[2:8] = struct.pack(">HI", number & 0xFFFF, picture * 3600)
                    client.sendall(b"$\0" + struct.pack(">H", len(stamped)) + stamped)
                    number += 1
                if off.wait(0.02):
                    return
        except OSError:
            return


@pytest.fixture(scope="module")
def packets():
    return rtp_packets(np.full((64, 96, 3), (30, 30, 220), np.uint8))


@pytest.fixture
def server(packets):
    made = Server(packets)
    yield made
    made.off()


def test_pictures_come_over_one_tcp_connection_and_a_lost_one_is_made_again(watch, server) -> None:
    stop, seen, stage = threading.Event(), [], ["first"]

    def tell(item) -> None:
        seen.append(item)
        if stage[0] == "first" and len(frames(seen)) == 4:
            stage[0] = "away"
            server.off()
        elif stage[0] == "away" and isinstance(item, Incident):
            stage[0] = "back"
            server.on()
        elif stage[0] == "back" and isinstance(seen[-2], Incident) and len(frames(seen)) > 4:
            stop.set()

    summary, told = watch(server.url, stop=stop, tell=tell, timeout_s=5.0)

    shown = frames(told)
    assert {item.answer.label for item in shown} == {"blue"}
    assert shown[0].picture.shape == (64, 96, 3)
    assert [item.what for item in told if isinstance(item, Incident)] == ["lost", "back"]
    assert [item.time_s for item in shown] == sorted(item.time_s for item in shown)
    assert summary.frames + summary.dropped + summary.too_old == summary.captured
    assert all(item.age_ms < 5000 for item in shown)
    assert {line.split()[0] for line in server.requests} >= {"DESCRIBE", "SETUP", "PLAY"}


def test_a_camera_that_falls_silent_is_taken_for_lost(watch, server) -> None:
    def tell(item) -> None:
        server.mute = True

    with pytest.raises(TemporaryError) as caught:
        watch(server.url, timeout_s=0.5, give_up_s=1.0, tell=tell)
    assert caught.value.code == "source_lost"


def test_a_camera_that_sends_nothing_whole_is_taken_for_lost(watch, packets) -> None:
    """The tables of each JPEG are there, and its second half is not."""
    server, told = Server([packet[: len(packet) - 30] for packet in packets]), []
    try:
        with pytest.raises(TemporaryError, match="nothing but damage"):
            watch(server.url, timeout_s=2.0, tell=told.append)
    finally:
        server.off()

    assert told == []


def test_a_password_is_not_shown(watch, server) -> None:
    server.off()

    with pytest.raises(TemporaryError) as caught:
        watch(server.url.replace("//", "//ann:secret@"), timeout_s=2.0)
    assert "secret" not in caught.value.message
    server.on()
