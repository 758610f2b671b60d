"""Drivers that applications use, each as a function: log in, ask who one is, leave.

    visit(server, user, password, ca=None, binding=None, database="app") -> current_user

`ca` is an Authority: then TLS is a must, and the server's certificate is checked. `binding` is
libpq's channel_binding; a driver that knows no such thing is not called with one. Whoever is
refused gets an exception whose text has the server's words.
"""

import asyncio
import os
import shutil
import ssl
import subprocess

import asyncpg
import psycopg
import psycopg2

from . import procs

NODE_PACKAGE = "pg@8.16.3"
JDBC = "/usr/share/java/postgresql.jar"

NODE = """
const { Client } = require('pg'), fs = require('fs'), e = process.env;
const client = new Client({
    host: e.T_HOST, port: +e.T_PORT, user: e.T_USER, password: e.T_PASSWORD, database: e.T_DATABASE,
    ssl: e.T_CA ? { ca: fs.readFileSync(e.T_CA), checkServerIdentity: () => undefined } : false,
    enableChannelBinding: e.T_BINDING === 'require' });
client.connect()
    .then(() => client.query('select current_user'))
    .then(answer => { console.log(answer.rows[0].current_user); return client.end(); })
    .catch(error => { console.error(error.code + ' ' + error.message); process.exit(1); });
"""

JAVA = """
import java.sql.*;
import java.util.Properties;

public class Visit {
    public static void main(String[] a) throws Exception {
        Properties p = new Properties();
        p.setProperty("user", a[3]);
        p.setProperty("password", a[4]);
        p.setProperty("sslmode", a[5].isEmpty() ? "disable" : "verify-ca");
        if (!a[5].isEmpty())
            p.setProperty("sslrootcert", a[5]);
        String url = "jdbc:postgresql://" + a[0] + ":" + a[1] + "/" + a[2];
        try (Connection c = DriverManager.getConnection(url, p);
                ResultSet r = c.createStatement().executeQuery("select current_user")) {
            r.next();
            System.out.println(r.getString(1));
        } catch (SQLException e) {
            System.err.println(e.getSQLState() + " " + e.getMessage());
            System.exit(1);
        }
    }
}
"""


def _run(command, env=None, **how):
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=60 * procs.PATIENCE, **how)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def _libpq(server, user, password, ca, binding, database):
    how = {"host": server.host, "port": server.port, "user": user, "dbname": database,
           "sslmode": "verify-ca" if ca else "disable"}
    if password is not None:
        how["password"] = password
    if ca:
        how["sslrootcert"] = ca.cert
    return {**how, "channel_binding": binding} if binding else how


def psql(server, user, password, ca=None, binding=None, database="app"):
    how = _libpq(server, user, None, ca, binding, database)
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    if password is not None:
        environment["PGPASSWORD"] = password
    return _run(["psql", "-XAtw", "-v", "VERBOSITY=verbose", "-c", "select current_user",
                 " ".join(f"{k}='{v}'" for k, v in how.items())], environment)


def psycopg3(server, user, password, ca=None, binding=None, database="app"):
    with psycopg.connect(**_libpq(server, user, password, ca, binding, database)) as conn:
        return conn.execute("select current_user").fetchone()[0]


def psycopg2_(server, user, password, ca=None, binding=None, database="app"):
    conn = psycopg2.connect(**_libpq(server, user, password, ca, binding, database))
    try:
        with conn.cursor() as cursor:
            cursor.execute("select current_user")
            return cursor.fetchone()[0]
    finally:
        conn.close()


def asyncpg_(server, user, password, ca=None, database="app"):
    async def visit():
        context = False
        if ca:
            context = ssl.create_default_context(cafile=ca.cert)
            context.check_hostname = False
        conn = await asyncpg.connect(host=server.host, port=server.port, user=user, ssl=context,
                                     password=password, database=database)
        try:
            return await conn.fetchval("select current_user")
        finally:
            await conn.close()
    return asyncio.run(visit())


class Node:
    """node-postgres, installed from npm into a folder."""

    def __init__(self, folder):
        self.folder = folder
        _run(["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, NODE_PACKAGE])
        with open(f"{folder}/visit.js", "w", encoding="ascii") as f:
            f.write(NODE)

    def __call__(self, server, user, password, ca=None, binding=None, database="app"):
        return _run(["node", "visit.js"], cwd=self.folder,
                    env={**os.environ, "T_HOST": server.host, "T_PORT": str(server.port),
                         "T_USER": user, "T_PASSWORD": password, "T_DATABASE": database,
                         "T_CA": ca.cert if ca else "", "T_BINDING": binding or ""})


class Jdbc:
    """PostgreSQL's JDBC driver, as Debian has it."""

    def __init__(self, folder):
        self.folder = folder
        with open(f"{folder}/Visit.java", "w", encoding="ascii") as f:
            f.write(JAVA)
        _run(["javac", "-d", folder, f"{folder}/Visit.java"])

    def __call__(self, server, user, password, ca=None, database="app"):
        return _run(["java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp",
                     f"{self.folder}:{JDBC}", "Visit", server.host, str(server.port), database,
                     user, password, ca.cert if ca else ""])


def lacks_node():
    """Why node-postgres cannot be tried here; empty if it can."""
    return "" if shutil.which("npm") and shutil.which("node") else "there is no npm"


def lacks_jdbc():
    here = shutil.which("javac") and shutil.which("java") and os.path.exists(JDBC)
    return "" if here else "there is no JDK, or no libpostgresql-jdbc-java"
