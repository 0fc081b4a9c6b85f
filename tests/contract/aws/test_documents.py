"""The policies, the terraform example and the CloudFormation one say the same."""

import json
import re
from string import Template
from typing import Any

import pytest
import yaml

from integration.iam.documents import FOLDER, ROOT, text

FILES = sorted(FOLDER.glob("*.json"))
TERRAFORM = (ROOT / "aws" / "terraform" / "main.tf").read_text("utf-8")
PARAMETERS = {
    "AWS::Partition": "partition",
    "AWS::Region": "region",
    "AWS::AccountId": "account",
    "ClusterName": "cluster_name",
    "ClusterUid": "cluster_uid",
    "JobQueue": "job_queue",
    "JobDefinition": "job_definition",
    "LogGroup": "log_group",
    "Namespace": "namespace",
    "ServiceAccount": "service_account",
    "OtherRole": "role_arn",
}
"""CloudFormation's names for the placeholders."""


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms."""


def _sub(loader: Loader, node: yaml.ScalarNode) -> str:
    written = str(loader.construct_scalar(node))
    return re.sub(r"\$\{([\w:]+)\}", lambda match: f"${{{PARAMETERS[match[1]]}}}", written)


def _ref(loader: Loader, node: yaml.ScalarNode) -> str:
    name = str(loader.construct_scalar(node))
    return f"${{{PARAMETERS[name]}}}" if name in PARAMETERS else name


def _other(loader: Loader, node: yaml.Node) -> object:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    return loader.construct_scalar(node)  # type: ignore[arg-type]


Loader.add_constructor("!Sub", _sub)
Loader.add_constructor("!Ref", _ref)
for tag in ("!GetAtt", "!Equals", "!Not"):
    Loader.add_constructor(tag, _other)


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    document = (ROOT / "aws" / "cloudformation.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.load(document, Loader)
    return found


def test_cloudformations_documents_are_the_files(template: dict[str, Any]) -> None:
    resources = template["Resources"]
    role = resources["ControllerRole"]["Properties"]
    other = resources["OtherAccount"]["Properties"]
    documents = {each["PolicyName"]: each["PolicyDocument"] for each in [*role["Policies"], other]}

    assert documents.keys() == {"controller", "queue-position", "log-tail", "assume-account"}
    for name, document in documents.items():
        assert document == json.loads(text(name)), name
    assert role["AssumeRolePolicyDocument"] == json.loads(text("trust-pod-identity"))


def test_cloudformation_has_each_parameter_that_it_names(template: dict[str, Any]) -> None:
    named = {name for name in PARAMETERS if "::" not in name}

    assert template["Parameters"].keys() == named


def test_terraform_fills_in_the_files_themselves() -> None:
    values = set(re.findall(r"^    (\w+) += ", TERRAFORM, re.MULTILINE))
    (listed,) = re.findall(r"features = \[(.*)\]", TERRAFORM)
    features = json.loads(f"[{listed}]")

    assert features == ["controller", "queue-position", "log-tail"]
    for name in [*features, "trust-pod-identity"]:
        assert set(Template(text(name)).get_identifiers()) <= values, name
    named = re.findall(r"\.\./iam/([^\"]+)\.json\", (.+)\)", TERRAFORM)
    assert named == [
        ("trust-pod-identity", "local.values"),
        ("${each.key}", "local.values"),
        ("assume-account", "{ role_arn = each.key }"),
    ]
    assert Template(text("assume-account")).get_identifiers() == ["role_arn"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_policy_is_well_formed_and_explained(file: Any) -> None:
    document = json.loads(file.read_text("utf-8"))
    readme = (FOLDER / "README.md").read_text("utf-8")

    assert document["Version"] == "2012-10-17"
    sids = [each["Sid"] for each in document["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)
    assert f"`{file.name}`" in readme


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_trust_policy_trusts_one_party_on_conditions_and_a_policy_names_no_party(
    file: Any,
) -> None:
    for statement in json.loads(file.read_text("utf-8"))["Statement"]:
        if file.stem.startswith("trust-"):
            (party,) = statement["Principal"].values()
            assert "*" not in party
            assert "Condition" in statement or party == "${controller_role_arn}"
        else:
            assert "Principal" not in statement
            assert "*" not in statement["Action"]
