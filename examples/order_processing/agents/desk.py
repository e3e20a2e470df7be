#!/usr/bin/env python3
"""The desks of a small shop: inventory, payments, carrier, mail. Each call leaves one line in a ledger.

The engine may call an agent twice for the same work: when it was killed before it heard the answer. It then sends the
same idempotency key. A desk looks the key up in the ledger first and gives the answer it gave then, so goods are
reserved once and money is taken once, whatever crashes.

    desk.py DESK      one request on stdin, one answer on stdout
"""

import fcntl
import hashlib
import json
import os
import sys

STOCK = 10  # of everything, at the beginning


class Refused(Exception):
    def __init__(self, code, message, retryable=False):
        super().__init__(message)
        self.error = {"code": code, "message": message, "retryable": retryable}


def reserve(data, entries, number):
    for item in data["items"]:
        left = STOCK - sum(reserved(entries, item["sku"]))
        if item["quantity"] > left:
            raise Refused("out_of_stock", f"{item['quantity']} of '{item['sku']}' wanted, {left} left")
    return {"hold": f"hold-{number}", "items": data["items"]}


def reserved(entries, sku):
    released = {entry["data"]["hold"] for entry in entries if entry["action"] == "release"}
    for entry in entries:
        if entry["action"] == "reserve" and entry["answer"]["hold"] not in released:
            yield sum(item["quantity"] for item in entry["answer"]["items"] if item["sku"] == sku)


def release(data, _entries, _number):
    return {"released": data["hold"]}


def charge(data, _entries, number):
    return {"charge": f"charge-{number}", "amount": data["amount"]}


def refund(data, _entries, _number):
    return {"refunded": data["charge"], "amount": data["amount"]}


def ship(data, _entries, number):
    if data["behaviour"] == "refused":
        raise Refused("carrier_refused", f"nobody delivers order {data['order']}")
    return {"tracking": f"parcel-{number}"}


def confirm(data, _entries, _number):
    return {"sent": f"Your order {data['order']} is on its way: {data['tracking']}"}


DESKS = {
    "inventory": {"reserve": reserve, "release": release},
    "payments": {"charge": charge, "refund": refund},
    "carrier": {"ship": ship},
    "mail": {"confirm": confirm},
}


def handle(desk, request):
    data, action = request["data"], request["action"]
    if action not in DESKS[desk]:
        raise Refused("invalid_input", f"the {desk} desk does not {action}")
    if data.get("behaviour") == "shaky" and request["attempt"] <= 2:
        raise Refused("unavailable", "the carrier does not pick up the phone", retryable=True)
    with open(os.path.join(callers_folder(), data["ledger"]), "a+", encoding="utf-8") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)
        ledger.seek(0)
        lines = ledger.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):  # was being written when the machine went down: nobody was told
            ledger.truncate(sum(len(line.encode()) for line in lines[:-1]))
            del lines[-1]
        entries = [json.loads(line) for line in lines]
        for entry in entries:
            if entry["key"] == request["idempotency_key"]:
                return entry["answer"]
        number = hashlib.sha256(request["idempotency_key"].encode()).hexdigest()[:8]
        answer = DESKS[desk][action](data, entries, number)
        details = {name: value for name, value in data.items() if name not in ("ledger", "behaviour")}
        ledger.write(json.dumps({"desk": desk, "action": action, "order": data["order"], "data": details,
                                 "answer": answer, "key": request["idempotency_key"]}) + "\n")
        ledger.flush()
        os.fsync(ledger.fileno())
        return answer


def callers_folder():
    """Where the person stands who started the order; agents themselves start in the definition's folder."""
    try:
        return os.readlink(f"/proc/{os.getppid()}/cwd")
    except OSError:
        return os.environ.get("PWD") or os.getcwd()


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in DESKS:
        sys.exit(f"usage: desk.py {'|'.join(DESKS)}")
    try:
        print(json.dumps(handle(sys.argv[1], json.load(sys.stdin))))
    except Refused as refused:
        print(json.dumps({"error": refused.error}))
        sys.exit(1)


if __name__ == "__main__":
    main()
