"""A network camera that sends JPEGs over HTTP, for tests of what looks at live pictures."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Camera:
    """An HTTP server that sends the pictures it is given, and can be switched off and on at its port."""

    def __init__(self) -> None:
        self.lengths, self.status, self.kind = True, 200, "multipart/x-mixed-replace; boundary=cut"
        self.length = "{}"  # how it says the length
        self.pictures: list[bytes] = []
        self.pause = 0.01
        self.asked: list[dict[str, str]] = []
        self.port = 0
        self.on()

    def on(self) -> None:
        camera = self
        self.off_now = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            off_now = self.off_now

            def log_message(self, *_):
                pass

            def do_GET(self):
                camera.asked.append({"path": self.path, **dict(self.headers)})
                self.send_response(camera.status)
                self.send_header("Content-Type", camera.kind)
                self.end_headers()
                try:
                    for content in camera.pictures:
                        if self.off_now.wait(camera.pause):
                            return
                        length = (
                            f"Content-Length: {camera.length.format(len(content))}\r\n"
                            if camera.lengths
                            else ""
                        )
                        head = f"--cut\r\nContent-Type: image/jpeg\r\n{length}\r\n"
                        self.wfile.write(head.encode() + content + b"\r\n")
                    self.wfile.write(b"--cut--\r\n")
                except OSError:
                    pass

        class Server(ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/video"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def off(self) -> None:
        self.off_now.set()
        self.server.shutdown()
        self.server.server_close()
