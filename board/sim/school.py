#!/usr/bin/env python3
"""The people of a school, for the demo: what they would do in a browser.

    school.py open LINK FILE     the first administrator joins and invites a coach;
                                 the coach asks for a box's pairing code: printed
    school.py assign FILE        the coach gives the newest observation to a
                                 teacher; the teacher's link is printed

FILE remembers the coach between the two; it holds a password made up here.
"""
import http.client
import json
import secrets
import sys
from urllib.parse import urlsplit


class Person:
    """A browser: a cookie, the anti-forgery token, the right Origin."""

    def __init__(self, origin):
        self.origin = origin
        self.cookie = self.token = None

    def ask(self, method, path, body=None):
        url = urlsplit(self.origin)
        headers = {"Origin": self.origin, "Content-Type": "application/json"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        if self.token:
            headers["X-Chalkbox-Token"] = self.token
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
        connection.request(method, "/api/v1" + path,
                           json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {text.decode(errors='replace')}")
        cookie = answer.headers.get("Set-Cookie")
        if cookie:
            self.cookie = cookie.split(";")[0]
        said = json.loads(text) if text else {}
        if isinstance(said, dict) and "token" in said:
            self.token = said["token"]
        return said

    def join(self, link, password):
        self.ask("POST", "/invitations/" + link.rsplit("/", 1)[1], {"password": password})
        return self


def open_school(link, path):
    origin = link.split("/#/")[0].rstrip("/")
    password = secrets.token_hex(8)
    administrator = Person(origin).join(link, secrets.token_hex(8))
    coach = Person(origin).join(
        administrator.ask("POST", "/people", {"name": "Casey Coach", "roles": ["coach"]})["link"],
        password)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"origin": origin, "name": "Casey Coach", "password": password}, file)
    print(coach.ask("POST", "/boxes", {})["code"])


def assign(path):
    with open(path, encoding="utf-8") as file:
        known = json.load(file)
    coach = Person(known["origin"])
    coach.ask("POST", "/session", {"name": known["name"], "password": known["password"]})
    teacher = coach.ask("POST", "/people", {"name": "Terry Teacher", "roles": ["teacher"]})
    observations = coach.ask("GET", "/observations")
    newest = (observations["observations"] if isinstance(observations, dict) else observations)[0]
    coach.ask("PATCH", "/observations/" + newest["id"],
              {"title": "Why the moon has phases", "teacher": teacher["person"]["id"]})
    print(teacher["link"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["open"] and len(sys.argv) == 4:
        open_school(*sys.argv[2:])
    elif sys.argv[1:2] == ["assign"] and len(sys.argv) == 3:
        assign(sys.argv[2])
    else:
        raise SystemExit(__doc__)
