"""weir config: layers, where values come from, and errors."""

import json
import os
import unittest

from weir_cli import Case, weir

SECTION = "http_connection_pool"


class Config(Case):
    def settings(self, name, text):
        folder = os.path.dirname(self.path(name))
        os.makedirs(folder, exist_ok=True)
        return self.write(name, text.encode())

    def values(self, *args, **kwargs):
        done = weir(*args, "config", "--json", cwd=self.folder, **kwargs)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)[SECTION]

    def test_defaults(self):
        values = self.values()
        self.assertEqual(values["max_connections"]["value"], "100")
        self.assertEqual(values["max_per_host"]["value"], "30")
        self.assertEqual(values["connect_timeout"]["value"], "10.0")
        self.assertEqual(values["total_timeout"]["value"], "30.0")
        self.assertEqual(values["max_connections"]["layer"], "default")

    def test_each_layer_wins_over_those_before(self):
        text = SECTION + ":\n  max_connections: %d\n"
        home = self.path("home")
        env = {"XDG_CONFIG_HOME": home}
        for number, name in enumerate(
                ("settings/weir.yaml", "settings/local.yaml",
                 "home/weir/config.yaml", "home/weir/local.yaml"), 1):
            path = self.settings(name, text % number)
            value = self.values(env=env)["max_connections"]
            self.assertEqual(value["value"], str(number))
            self.assertTrue(path.endswith(value["layer"]), value)
            self.assertEqual((value["line"], value["column"]), (2, 20))
        env["WEIR_HTTP_CONNECTION_POOL__MAX_CONNECTIONS"] = "5"
        self.assertEqual(self.values(env=env)["max_connections"]["layer"],
                         "environment")
        path = self.settings("named.yaml", text % 6)
        value = self.values("--config", path, env=env)["max_connections"]
        self.assertEqual((value["value"], value["layer"]), ("6", path))
        env["WEIR_CONFIG"] = path
        self.assertEqual(self.values(env=env)["max_connections"]["value"], "6")

    def test_errors_name_place_key_and_expectation(self):
        for text, expected in (
                ("max_connections: many",
                 b"named.yaml:2:20: http_connection_pool.max_connections: "
                 b'found "many", expected an integer from 1 to 1000000'),
                ("max_conections: 5", b"max_connections"),
                ("max_connections: 0", b"expected an integer from 1 to"),
                ("enabled: yes", b"http_connection_pool.enabled")):
            path = self.settings("named.yaml", f"{SECTION}:\n  {text}\n")
            done = weir("--config", path, "config", cwd=self.folder)
            self.assertEqual(done.returncode, 2, text)
            self.assertIn(expected, done.stderr)
            self.assertEqual(done.stdout, b"")

    def test_sections_of_commands_are_checked_to_the_last_key(self):
        for text, expected in (
                ("page: {lisen: '127.0.0.1:0'}",
                 "2:10: watch.page.lisen: unknown key, did you mean listen?"),
                ("page: {control: perhaps}",
                 '2:19: watch.page.control: found "perhaps"'),
                ("page: [1]", "2:9: watch.page: found a sequence"),
                ("events: {fiel: '-'}",
                 "2:12: watch.events.fiel: unknown key, did you mean file?"),
                ("events: {history_days: -1}", "watch.events.history_days"),
                ("events: {history: ../x}",
                 '2:21: watch.events.history: found "../x", expected the name '
                 "of a file, without a folder"),
                ("events: {webhook: {atempts: 2}}",
                 "2:22: watch.events.webhook.atempts: unknown key, did you "
                 "mean attempts?"),
                ("services: {a: {comand: [x]}}",
                 "2:18: watch.services.a.comand: unknown key, did you mean "
                 "command?"),
                ("services: {a: {command: [x], after: [b]}}",
                 "there is no service 'b'")):
            path = self.settings("named.yaml", f"watch:\n  {text}\n")
            done = weir("--config", path, "config", cwd=self.folder)
            self.assertEqual(done.returncode, 2, text)
            self.assertIn(f"{path}:2:", done.stderr.decode())
            self.assertIn(expected, done.stderr.decode())
            self.assertEqual(done.stdout, b"")

    def test_a_named_file_must_exist(self):
        done = weir("--config", "/no/such.yaml", "config")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"/no/such.yaml", done.stderr)

    def test_other_sections_are_ignored(self):
        path = self.settings("named.yaml", "other:\n  anything: [1, 2]\n")
        self.assertEqual(weir("--config", path, "config").returncode, 0)

    def test_the_table_can_be_read_back(self):
        table = weir("config").stdout.decode()
        path = self.settings("named.yaml", table)
        done = weir("--config", path, "config", cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(path.encode() + b":2:", done.stdout)


if __name__ == "__main__":
    unittest.main()
