from typing import Any

from deploy.rights import Right, RightsChange, of_document, of_template


def statement(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **elements}


def words(document: dict[str, Any]) -> list[str]:
    return sorted(str(right) for right in of_document("api", {"Statement": document}))


def test_a_statement_is_taken_apart_into_its_actions_and_resources() -> None:
    document = [statement(Action=["s3:GetObject", "s3:PutObject"], Resource=["arn:a", "arn:b"])]

    assert words(document) == [
        "api: allow s3:GetObject on arn:a",
        "api: allow s3:GetObject on arn:b",
        "api: allow s3:PutObject on arn:a",
        "api: allow s3:PutObject on arn:b",
    ]


def test_principals_conditions_and_exceptions_are_told() -> None:
    condition = {"Bool": {"aws:SecureTransport": "false"}}

    assert words([statement(Effect="Deny", Principal="*", Condition=condition)]) == [
        'api: deny s3:GetObject to * on * if {"Bool": {"aws:SecureTransport": "false"}}'
    ]
    assert words([statement(Principal={"AWS": ["1", {"Ref": "Other"}], "Service": "x"})]) == [
        "api: allow s3:GetObject to ${Other} on *",
        "api: allow s3:GetObject to 1 on *",
        "api: allow s3:GetObject to x on *",
    ]
    excepting = {"Effect": "Deny", "NotAction": "s3:*", "NotResource": "a", "NotPrincipal": "b"}
    assert words([excepting]) == ["api: deny anything but s3:* to anyone but b on anything but a"]


def test_a_statement_that_depends_on_a_condition_of_the_template_says_so() -> None:
    choice = {"Fn::If": ["IsOpen", statement(Resource="a"), statement(Resource="b")]}

    assert words([choice]) == [
        "api: allow s3:GetObject on a if IsOpen",
        "api: allow s3:GetObject on b if not IsOpen",
    ]
    nothing = {"Fn::If": ["IsOpen", statement(Resource="a"), {"Ref": "AWS::NoValue"}]}
    assert words([nothing]) == ["api: allow s3:GetObject on a if IsOpen"]


def test_every_policy_of_a_template_is_found() -> None:
    arn = {"Fn::Join": [":", ["arn", {"Ref": "AWS::Partition"}, "x"]]}
    resources = {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": "sts:AssumeRole",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                        }
                    ]
                },
                "Policies": [
                    {
                        "PolicyName": "p",
                        "PolicyDocument": {
                            "Statement": statement(Resource={"Fn::GetAtt": ["Table", "Arn"]})
                        },
                    }
                ],
                "ManagedPolicyArns": [arn],
            },
        },
        "Key": {
            "Type": "AWS::KMS::Key",
            "Properties": {
                "KeyPolicy": {"Statement": [statement(Resource={"Fn::Sub": "${AWS::Region}/*"})]}
            },
        },
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Function"},
                "Principal": "s3.amazonaws.com",
                "SourceArn": "arn:bucket",
            },
        },
    }

    assert sorted(str(right) for right in of_template({"Resources": resources})) == [
        "Key: allow s3:GetObject on ${AWS::Region}/*",
        "Permission: allow lambda:InvokeFunction to s3.amazonaws.com on ${Function} if arn:bucket",
        "Role: allow s3:GetObject on ${Table.Arn}",
        "Role: allow sts:AssumeRole to lambda.amazonaws.com",
        "Role: allow what arn:${AWS::Partition}:x allows",
    ]
    assert list(of_template({})) == []


def test_rights_are_compared_one_by_one() -> None:
    kept, gone, new = (Right("api", "Allow", action) for action in ("a", "b", "c"))

    change = RightsChange.between([kept, gone], [kept, new])

    assert change == RightsChange((new,), (gone,))
    assert change
    assert not RightsChange.between([kept], [kept])
