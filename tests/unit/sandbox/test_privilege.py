from __future__ import annotations

import json

from sandbox.privilege import Call, Excuse, calls_of, findings, rights_of, without

ROLE = "111111111111:reader"
SESSION = "arn:aws:sts::111111111111:assumed-role/reader/session"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Read",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::a", "arn:aws:s3:::a/*"],
        },
        {
            "Sid": "Key",
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": "arn:aws:kms:us-east-1:111111111111:key/1",
            "Condition": {"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": "topic"}},
        },
    ],
}
RIGHTS = rights_of(ROLE, {"own": POLICY})
READ = Call(SESSION, "s3:GetObject", "arn:aws:s3:::a/b", allowed=True)
LISTED = Call(SESSION, "s3:ListBucket", "arn:aws:s3:::a", allowed=True)
DECRYPT = Call(
    SESSION,
    "kms:Decrypt",
    "arn:aws:kms:us-east-1:111111111111:key/1",
    allowed=True,
    context={"kms:EncryptionContext:aws:sns:topicArn": "topic"},
)


def test_a_right_is_one_action_on_one_resource():
    assert len(RIGHTS) == 5
    assert str(RIGHTS[1]) == f"{ROLE}, statement Read: s3:GetObject on arn:aws:s3:::a/*"


def test_every_right_that_nothing_used_is_named():
    found = findings(RIGHTS, [READ, LISTED, DECRYPT], ())
    assert found == [
        (
            f"nothing used: {ROLE}, statement Read: s3:GetObject on arn:aws:s3:::a. "
            "Take it out of the policy, or use it in a test"
        ),
        (
            f"nothing used: {ROLE}, statement Read: s3:ListBucket on arn:aws:s3:::a/*. "
            "Take it out of the policy, or use it in a test"
        ),
    ]


def test_a_call_under_another_condition_or_of_another_role_uses_no_right():
    of_another = Call(SESSION.replace("reader", "writer"), READ.action, READ.resource, allowed=True)
    elsewhere = Call(
        SESSION, DECRYPT.action, DECRYPT.resource, allowed=True, context={"other": "topic"}
    )
    found = findings(RIGHTS, [of_another, LISTED, elsewhere], ())
    assert any("s3:GetObject on arn:aws:s3:::a/*" in line for line in found)
    assert any("kms:Decrypt" in line for line in found)


def test_a_refused_call_is_a_missing_permission():
    refused = Call(SESSION, "s3:PutObject", "arn:aws:s3:::a/b", allowed=False)
    assert findings((), [refused], ()) == [
        f"missing permission: {ROLE}: s3:PutObject on arn:aws:s3:::a/b"
    ]


def test_an_excuse_excuses_what_is_unused_and_is_stale_when_nothing_is():
    excuses = (Excuse("read*", "kms:*", "no topic here"),)
    rest = Excuse("reader", "s3:*", "half of it")
    assert findings(RIGHTS, [READ, LISTED], (*excuses, rest)) == []
    stale = findings(RIGHTS, [READ, LISTED, DECRYPT], (*excuses, rest))
    assert stale == ["stale excuse: kms:* of read* (no topic here): nothing is unused"]
    assert findings((), (), excuses) == stale


def test_one_right_less_leaves_the_others_of_its_statement():
    for right in RIGHTS:
        left = rights_of(ROLE, {"own": without(POLICY, right)})
        kept = {(one.action, one.resource, json.dumps(one.condition)) for one in left}
        whole = {(one.action, one.resource, json.dumps(one.condition)) for one in RIGHTS}
        assert whole - kept == {(right.action, right.resource, json.dumps(right.condition))}
        assert len(left) == len(RIGHTS) - 1


def test_a_record_is_read_once_a_decision():
    line = json.dumps(
        {"principal": SESSION, "action": "s3:GetObject", "resource": "r", "allowed": True}
    )
    [call] = calls_of([line, line, ""])
    assert call.role == ROLE
    assert Call("arn:aws:iam::1:role/x", "a", "r", allowed=True).role == "1:x"
    assert Call("arn:aws:iam::1:user/x", "a", "r", allowed=True).role == "1:user/x"
