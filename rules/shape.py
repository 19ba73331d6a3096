"""The shape of what each hook sends, for checking expressions against it (CONTRACT B2, seed/webhooks.txt).

Described as protobuf messages, because that is how CEL's checker knows named fields: a misspelt attribute is then
found with its place. Nothing is ever converted into such a message; expressions run on the JSON as it came.
"""

import difflib
from collections.abc import Iterable, Mapping

from google.protobuf import descriptor_pb2, descriptor_pool, struct_pb2

TEXT = (
    "id", "login", "firstName", "middleName", "lastName", "displayName", "email", "mobile", "countryCode", "landline",
    "country", "city", "address1", "address2", "userType", "department", "designation", "grade", "employeeId",
    "managerId", "managerDisplayName", "orgUnitId", "associatedPartner", "dateOfBirth", "startDate", "endDate",
    "end_date", "status", "created", "updated", "createdBy", "updatedBy", "profilePic", "profilePicture", "appUserId",
    "appUpdatedDate",
)  # fmt: skip
"""Attributes of a user that are text."""

OTHER = ("assignedGroups", "provisionedApps", "attributes", "rbacRoles", "version")
"""Attributes of a user that are lists, objects or numbers."""

_PROVISION = {"policyMap": "", "form": "", "roleList": "", "applicationId": "text", "action": "text"}
REQUEST: Mapping[str, Mapping[str, str]] = {
    "policyMap": {
        "targetAttribute": "text",
        "cymmetrifield": "text",
        "defaultValue": "",
        "formVeriable": "",
        "applicationId": "text",
    },
    "preProvision": _PROVISION,
    "postProvision": {**_PROVISION, "isSuccess": "", "uid": "text"},
}
"""What a hook's request has beside the user: name to "text", or "" for anything."""

_PACKAGE = "hookledger"
_VALUE = ".google.protobuf.Value"
_User = descriptor_pb2.DescriptorProto


def user_type() -> str:
    """The message's name for CEL."""
    return f"{_PACKAGE}.User"


def request_type(hook: str) -> str:
    """The message's name for CEL."""
    return f"{_PACKAGE}.{hook}"


def describe(hooks: Iterable[str], custom: Iterable[str]) -> descriptor_pool.DescriptorPool:
    """The messages of these hooks' requests, and of a user with the tenant's custom attributes."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(
        name="hookledger.proto",
        package=_PACKAGE,
        syntax="proto2",
        dependency=["google/protobuf/struct.proto"],
    )
    user = dict.fromkeys(TEXT, "text") | dict.fromkeys((*OTHER, *custom), "")
    _message(file, "User", user)
    for hook in hooks:
        message = _message(file, hook, REQUEST.get(hook, {}))
        _field(message, "user", f".{user_type()}")
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def close_to(attribute: str, custom: Iterable[str]) -> str | None:
    """The attribute that was probably meant."""
    lower = {name.lower(): name for name in (*TEXT, *OTHER, *custom)}
    found = difflib.get_close_matches(attribute.lower(), lower, n=1)
    return lower[found[0]] if found else None


def _message(file: descriptor_pb2.FileDescriptorProto, name: str, fields: Mapping[str, str]) -> _User:
    message = file.message_type.add(name=name)
    message.options.deprecated_legacy_json_field_conflicts = True  # endDate and end_date are two attributes
    for field, kind in fields.items():
        _field(message, field, None if kind == "text" else _VALUE)
    return message


def _field(message: _User, name: str, message_type: str | None) -> None:
    field = message.field.add(name=name, number=len(message.field) + 1, label=1, json_name=name)
    field.type = (
        descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
        if message_type
        else descriptor_pb2.FieldDescriptorProto.TYPE_STRING
    )
    if message_type:
        field.type_name = message_type
