"""An API server for tests of its client: it answers in the shape of /api/v1, notes what it was asked, and can be told to
answer anything. What the real server answers is another test's affair."""
import http.server
import json
import threading

TOKEN = "secret-token"
ITEM = {"id": "x_0123456789abcdef", "name": "Đèn số 1", "version": "1.0.0", "key": "0e8400e2", "state": "confirmed",
        "device_key": "5" * 40, "sha256": "ab" * 32, "token": TOKEN, "offer": False, "path": "www/index.html", "told": True, "status": 200, "done": 7,
        "reason": {"code": "current", "text": "runs 1.0.0, which is current"},
        "rules": [{"rule": "blocked", "passed": True, "text": "the device is not blocked"},
                  {"rule": "current", "passed": False, "text": "something else runs"},
                  {"rule": "loop", "passed": None, "text": "it helped before"}]}


class FakeApi:
    """answers: path (with its query) -> (status, object or bytes), or a function of the request's body."""

    def __init__(self):
        self.answers, self.asked = {}, []       # asked: (method, path, headers, body)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path = self.path.removeprefix("/api/v1")
                outer.asked.append((self.command, path, dict(self.headers), body))
                if path.startswith("/events") and path not in outer.answers:
                    return self.send_events()
                answer = outer.answers.get(path, outer.usual)
                status, data = answer(self.command, path, body) if callable(answer) else answer
                data = data if isinstance(data, bytes) else json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def send_events(self):
                """Three events, then the connection is lost: the client has to come again."""
                last = int(self.headers.get("Last-Event-ID", 0))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                text = ": hello\n\n" + "".join(f"id: {last + i}\ndata: {{\"kind\":\"device.changed\",\"n\":{last + i}}}\n\n"
                                               for i in (1, 2, 3))
                self.wfile.write(text.encode())
                self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    @staticmethod
    def usual(method, path, _):
        last = path.split("?")[0].rsplit("/", 1)[-1]
        if method == "GET" and last in ("products", "releases", "devices", "users", "members", "tokens", "updates", "configs",
                                        "resources", "audit"):
            return 200, {"items": [{**ITEM, "what": "product.create"}], "next": None, "total": 1,
                         "chain": {"ok": True, "checked": 1, "broken_at": None}}
        if "/compare/" in path:
            return 200, {"rows": [{"what": "size", "before": "1", "after": "2"}]}
        if last == "paste":
            return 200, {"steps": [{"title": "Sketch", "text": "#include <x>"}]}
        if method == "GET" and path.startswith("/my/devices/"):
            return 200, {**ITEM, "offer": {"update": "x_0123456789abcdef", "version": "2.0", "question": "download"}}
        return 200, ITEM

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
