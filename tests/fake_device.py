"""A stock device's web page in the local network, as the NONOS SDK's IOT_Demo has it: what it expects of a request to the
letter, and its odd answers."""
import json
import socket
import threading


class FakeDevice:
    """`runs` is its slot, `version` what its page of information says (None: it has no such page); `faults` names what goes
    wrong. What it was told stands in `log`, what it was sent in `image`."""

    def __init__(self, runs="user1", version="v1.0.0t45772(a)", **faults):
        self.version = version
        self.runs, self.faults, self.log, self.image, self.uploading = runs, faults, [], None, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.thread = threading.Thread(target=self.serve)

    def serve(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            with link:
                self.answer(link)

    def answer(self, link):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = link.recv(1460)
            if not piece:
                return
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        if b"\r\nHost: " not in head:
            return
        length = int(head.split(b"\r\nContent-Length: ")[1].split(b"\r\n")[0]) if b"\r\nContent-Length: " in head else 0
        if self.uploading and method == "POST" and "command=" not in target:
            while len(body) < length:
                piece = link.recv(1460)
                if not piece:
                    return
                body += piece
                if self.faults.get("stops"):
                    return
            self.log.append("image")
            self.image = body
            return self.reply(link, 200 if length else 400)
        path, _, query = target.partition("?")
        command = query.removeprefix("command=")
        self.log.append(f"{method} {command}")
        if self.faults.get("silent") == command:
            return
        if path == "/client" and command == "info" and self.version is not None:
            text = json.dumps({"Version": {"hardware": "0.1", "sdk_version": "1.1.1", "iot_version": self.version},
                               "Device": {"product": "Plug", "manufacturer": "Espressif Systems"}}, indent=0)
            text = self.version if self.version[:1] in ("{", "<") else text
            return link.sendall(f"HTTP/1.0 200 OK\r\nContent-Length: {len(text)}\r\nServer: lwIP/1.4.0\r\n\r\n{text}".encode())
        if path != "/upgrade" or self.faults.get("refuses") == command:
            return self.reply(link, 400)
        if command == "getuser":
            text = self.faults.get("says", '{\n"status": "200",\n"user_bin": "%s.bin"\n}' % self.runs)
            return link.sendall(f"HTTP/1.0 200 OK\r\nContent-Length: {len(text)}\r\nServer: lwIP/1.4.0\r\n"
                                f"Content-type: application/json\r\nExpires: Fri, 10 Apr 2008 14:00:00 GMT\r\n"
                                f"Pragma: no-cache\r\n\r\n{text}".encode())
        self.uploading = command == "start" or self.uploading
        if command == "reset" and self.faults.get("restarts_at_once"):
            return
        self.reply(link, 200)

    @staticmethod
    def reply(link, status):
        """The header of an empty answer ends with CR LF LF."""
        words = "OK" if status == 200 else "BadRequest"
        link.sendall(f"HTTP/1.0 {status} {words}\r\nContent-Length: 0\r\nServer: lwIP/1.4.0\r\n\n".encode())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
