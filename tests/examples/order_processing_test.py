#!/usr/bin/env python3
"""examples/order_processing: what is done is in the ledger once, and what cannot be kept is undone."""

import json
import tempfile
import unittest
from pathlib import Path

from program import EXAMPLES, completed_paths, mapflow

WORKFLOW = EXAMPLES / "order_processing" / "workflow.yaml"


class OrderProcessing(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def order(self, order_id, **inputs):
        words = [word for name, value in inputs.items() for word in ("-i", f"{name}={value}")]
        return mapflow("run", WORKFLOW, "--store", "sqlite:orders.db", "--id", order_id, "--json",
                       "-i", f"order_id={order_id}", *words, cwd=self.folder)

    def ledger(self, order_id=None):
        lines = (self.folder / "order_ledger.jsonl").read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines]
        return [entry for entry in entries if order_id in (None, entry["order"])]

    def actions(self, order_id):
        return [entry["action"] for entry in self.ledger(order_id)]

    def history(self, order_id):
        done = mapflow("history", order_id, "--store", "sqlite:orders.db", "--json", cwd=self.folder)
        self.assertEqual(done.exit, 0, done)
        return done.json

    def test_an_order_goes_through(self):
        done = self.order("A-1")
        self.assertEqual(done.exit, 0, done)
        self.assertEqual(done.json["state"], "completed")
        self.assertEqual(self.actions("A-1"), ["reserve", "charge", "ship", "confirm"])
        self.assertEqual(self.ledger("A-1")[1]["data"]["amount"], 48.5)
        self.assertEqual(done.json["variables"]["parcel"], done.json["results"]["ship"])

    def test_the_same_order_again_does_nothing_twice(self):
        first, again = self.order("A-1"), self.order("A-1")
        self.assertEqual((first.exit, again.exit), (0, 0), again)
        self.assertEqual(again.json["results"], first.json["results"])
        self.assertEqual(self.actions("A-1"), ["reserve", "charge", "ship", "confirm"])

    def test_a_refused_delivery_is_undone_latest_first(self):
        done = self.order("A-2", shipping="refused")
        self.assertEqual(done.exit, 1, done)
        self.assertEqual(done.json["state"], "compensated")
        self.assertEqual(done.json["errors"][0]["code"], "carrier_refused")
        self.assertEqual(self.actions("A-2"), ["reserve", "charge", "refund", "release"])
        reserved, charged, refunded, released = self.ledger("A-2")
        self.assertEqual(refunded["data"]["charge"], charged["answer"]["charge"])
        self.assertEqual(refunded["data"]["amount"], charged["data"]["amount"])
        self.assertEqual(released["data"]["hold"], reserved["answer"]["hold"])

    def test_a_shaky_carrier_is_asked_again_under_the_same_key(self):
        done = self.order("A-3", shipping="shaky")
        self.assertEqual(done.exit, 0, done)
        retries = [event for event in self.history("A-3") if event["type"] == "step.retrying"]
        self.assertEqual([event["path"] for event in retries], ["ship", "ship"])
        self.assertEqual(self.actions("A-3").count("ship"), 1)

    def test_what_is_sold_out_is_not_charged(self):
        items = json.dumps([{"sku": "teapot", "quantity": 8, "price": 1}])
        self.assertEqual(self.order("A-4", items=items).exit, 0)
        done = self.order("A-5", items=items)
        self.assertEqual(done.exit, 1, done)
        self.assertEqual(done.json["state"], "failed")  # there was nothing to undo
        self.assertEqual(done.json["errors"][0]["code"], "out_of_stock")
        self.assertEqual(self.actions("A-5"), [])

    def test_released_goods_can_be_sold_again(self):
        items = json.dumps([{"sku": "teapot", "quantity": 8, "price": 1}])
        self.assertEqual(self.order("A-6", items=items, shipping="refused").exit, 1)
        self.assertEqual(self.order("A-7", items=items).exit, 0)

    def test_an_order_without_an_id_is_refused(self):
        done = mapflow("run", WORKFLOW, "--store", "memory:", cwd=self.folder)
        self.assertEqual(done.exit, 2, done)
        self.assertIn("order_id", done.err + done.out)

    def test_every_result_is_recorded_once(self):
        self.order("A-8")
        paths = completed_paths(self.history("A-8"))
        self.assertEqual(sorted(paths), sorted(["price", "reserve", "charge", "ship", "confirm"]))


if __name__ == "__main__":
    unittest.main()
