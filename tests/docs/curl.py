"""The part of curl that the pages use, for machines that have none: -s -i -X -H -d and a URL."""

import argparse
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

parser = argparse.ArgumentParser()
parser.add_argument("-s", "--silent", action="store_true")
parser.add_argument("-i", "--include", action="store_true")
parser.add_argument("-X", "--request")
parser.add_argument("-H", "--header", action="append", default=[])
parser.add_argument("-d", "--data", action="append")
parser.add_argument("-w", "--write-out", default="")
parser.add_argument("-o", "--output")
parser.add_argument("url")
arguments = parser.parse_args()

url = urlsplit(arguments.url)
headers = {"Host": url.netloc, "Accept": "*/*"}
data = "&".join(arguments.data) if arguments.data else None
if data is not None:
    headers["Content-Type"] = "application/x-www-form-urlencoded"
headers |= {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in arguments.header)}
connection = HTTPConnection("127.0.0.1", url.port or 80)
path = (url.path or "/") + (f"?{url.query}" if url.query else "")
connection.request(arguments.request or ("POST" if data else "GET"), path, data, headers)
response = connection.getresponse()
if arguments.include:
    print(f"HTTP/1.1 {response.status} {response.reason}")
    print("".join(f"{name}: {value}\n" for name, value in response.getheaders()))
body = response.read().decode()
if arguments.output is None:
    sys.stdout.write(body)
sys.stdout.write(arguments.write_out.replace("%{http_code}", str(response.status)).replace("\\n", "\n"))
