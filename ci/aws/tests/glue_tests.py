"""Glue on moto, asked by boto3: of two who read the same version of an entry one may write."""

from __future__ import annotations

import unittest
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

from tests.world import World

WRITERS, ROUNDS = 4, 10
DATABASE, TABLE = "lake", "orders"


class Versions(unittest.TestCase):
    """One server and one entry for all."""

    @classmethod
    def setUpClass(cls) -> None:
        world = World()
        cls.addClassCleanup(world.stop)
        cls.glue = boto3.client("glue", **world.access, config=Config(retries={"max_attempts": 1}))
        cls.glue.create_database(DatabaseInput={"Name": DATABASE})
        cls.glue.create_table(DatabaseName=DATABASE, TableInput={"Name": TABLE})

    def version(self) -> str:
        """Returns the entry's version."""
        return self.glue.get_table(DatabaseName=DATABASE, Name=TABLE)["Table"]["VersionId"]

    def is_written(self, description: str, **version: str) -> bool:
        """Writes the entry; says whether that was taken."""
        try:
            self.glue.update_table(DatabaseName=DATABASE, TableInput={"Name": TABLE, "Description": description}, **version)
        except self.glue.exceptions.ConcurrentModificationException:
            return False
        return True

    def test_a_stale_version_is_refused_and_changes_nothing(self) -> None:
        read = self.version()
        self.assertTrue(self.is_written("first", VersionId=read))
        self.assertFalse(self.is_written("second", VersionId=read))
        self.assertEqual(self.glue.get_table(DatabaseName=DATABASE, Name=TABLE)["Table"]["Description"], "first")

    def test_an_update_without_a_version_is_taken(self) -> None:
        self.assertTrue(self.is_written("any"))

    def test_of_those_who_write_at_once_one_wins(self) -> None:
        with ThreadPoolExecutor(WRITERS) as pool:
            for _ in range(ROUNDS):
                read = self.version()
                won = list(pool.map(lambda number, read=read: self.is_written(str(number), VersionId=read), range(WRITERS)))
                self.assertEqual(sum(won), 1)
                self.assertEqual(int(self.version()), int(read) + 1)


if __name__ == "__main__":
    unittest.main()
