"""HTTP requests to an API server, answered from a storage."""

import datetime as dt
import json
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from batchtask_local.apiserver.emulator import discovery, errors, openapi, requests
from batchtask_local.apiserver.emulator.bodies import WriteOptions
from batchtask_local.apiserver.emulator.replies import (
    answer,
    deleted,
    list_of,
    place_of,
    refused,
    revision_of,
)
from batchtask_local.apiserver.emulator.resources import SERVICE_ACCOUNTS, Object, Resource
from batchtask_local.apiserver.emulator.selectors import Test, selector
from batchtask_local.apiserver.emulator.storage import Storage
from batchtask_local.apiserver.emulator.table import table
from batchtask_local.apiserver.emulator.tokens import Tokens
from batchtask_local.apiserver.emulator.watch import Watch, events
from batchtask_local.apiserver.emulator.writes import Writer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEALTH_PATHS = ("/healthz", "/livez", "/readyz")
MAX_BODY = 3 * 1024 * 1024
TOKEN_SECONDS = 3600


class Api:
    """The handlers. `release` is the Kubernetes version that is emulated."""

    def __init__(
        self,
        storage: Storage,
        writer: Writer,
        tokens: Tokens,
        clock: Callable[[], dt.datetime],
        release: str,
    ) -> None:
        self._storage = storage
        self._writer = writer
        self._tokens = tokens
        self._clock = clock
        self._release = release

    def application(self) -> web.Application:
        """Return the web application."""
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY)
        app.add_routes([web.get(path, self._health) for path in HEALTH_PATHS])
        app.add_routes(
            [
                web.get("/version", _told(lambda _: discovery.version(self._release))),
                web.get("/api", _told(lambda _: discovery.core_versions())),
                web.get("/apis", _told(lambda _: discovery.groups(self._kinds))),
                web.get("/apis/{group}", _told(self._group)),
                web.get("/api/{version}", _told(self._resource_list)),
                web.get("/apis/{group}/{version}", _told(self._resource_list)),
                web.get("/openapi/v3", _told(lambda _: openapi.index(self._kinds))),
                web.get("/openapi/v3/{path:.+}", _told(self._document)),
                web.post(f"/apis/{discovery.REVIEWS_VERSION}/selfsubjectaccessreviews", _review),
                web.post(
                    "/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", self._token
                ),
            ]
        )
        for prefix in ("/api/{version}", "/apis/{group}/{version}"):
            self._add_objects(app, prefix)
        return app

    def _add_objects(self, app: web.Application, prefix: str) -> None:
        inside = f"{prefix}/namespaces/{{namespace}}"
        # The order matters: a namespace's own status is no object in it.
        for place in (prefix, inside):
            for path in ("{plural}/{name}", "{plural}/{name}/{subresource:status}"):
                handlers = (
                    (web.get, self._get),
                    (web.put, self._replace),
                    (web.patch, self._patch),
                    (web.delete, self._delete),
                )
                app.add_routes([add(f"{place}/{path}", handler) for add, handler in handlers])
        for place in (prefix, inside):
            path = f"{place}/{{plural}}"
            app.add_routes(
                [
                    web.get(path, self._list),
                    web.post(path, self._create),
                    web.delete(path, self._delete_collection),
                ]
            )

    @property
    def _kinds(self) -> Sequence[Resource]:
        return self._storage.resources

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in who has a token; turn every refusal into a Status."""
        if request.path not in HEALTH_PATHS and not self._tokens.is_valid(
            request.headers.get("Authorization", "")
        ):
            return refused(errors.StatusError(401, "Unauthorized", "Unauthorized"))
        try:
            return await handler(request)
        except errors.StatusError as error:
            return refused(error)
        except web.HTTPNotFound:
            return refused(errors.unknown_path())
        except web.HTTPException as error:
            reason = (error.reason or "").replace(" ", "")
            return refused(errors.StatusError(error.status, reason, error.reason or ""))

    async def _health(self, request: web.Request) -> web.Response:
        del request
        return web.Response(text="ok")

    def _group(self, request: web.Request) -> Object:
        return discovery.group(self._kinds, request.match_info["group"])

    def _resource_list(self, request: web.Request) -> Object:
        return discovery.resource_list(self._kinds, _api_version(request))

    def _document(self, request: web.Request) -> Object:
        return openapi.document(self._kinds, request.match_info["path"])

    def _resource(self, request: web.Request) -> Resource:
        """Return the resource that the path names, if it may stand there."""
        path, version = request.match_info, _api_version(request)
        for found in self._kinds:
            if found.plural == path["plural"] and found.api_version == version:
                misplaced = "namespace" in path and not found.namespaced
                if not misplaced and (found.has_status or "subresource" not in path):
                    return found
        raise errors.unknown_path()

    def _current(self, request: web.Request, resource: Resource) -> Object:
        path = request.match_info
        found = self._storage.find(resource, path.get("namespace", ""), path["name"])
        if found is None:
            raise errors.not_found(resource, path["name"])
        return found

    async def _get(self, request: web.Request) -> web.Response:
        resource = self._resource(request)
        found = self._current(request, resource)
        if requests.table_wanted(request):
            return answer(self._table(request, resource, [found], revision_of(found)))
        return answer(found)

    async def _create(self, request: web.Request) -> web.Response:
        resource, options = self._resource(request), requests.write_options(request)
        namespace = request.match_info.get("namespace", "")
        if resource.namespaced and not namespace:
            raise errors.unknown_path()
        body = await requests.body(request)
        return answer(self._writer.create(resource, namespace, body, options), 201, options)

    async def _replace(self, request: web.Request) -> web.Response:
        resource, options = self._resource(request), requests.write_options(request)
        body = await requests.body(request)
        current = self._current(request, resource)
        if resource.is_custom and not body.get("metadata", {}).get("resourceVersion"):
            cause = errors.invalid_value(
                "metadata.resourceVersion", 0, "must be specified for an update"
            )
            raise errors.invalid(resource.qualified_plural, current["metadata"]["name"], [cause])
        return self._updated(request, resource, current, body, options)

    async def _patch(self, request: web.Request) -> web.Response:
        resource, options = self._resource(request), requests.write_options(request)
        path = request.match_info
        await request.read()  # nothing may change between reading the object and writing it
        current = self._storage.find(resource, path.get("namespace", ""), path["name"])
        body = await requests.patched(request, resource, current)
        if current is None:
            new = self._writer.create(resource, path.get("namespace", ""), body, options)
            return answer(new, 201, options)
        return self._updated(request, resource, current, body, options)

    def _updated(
        self,
        request: web.Request,
        resource: Resource,
        current: Object,
        body: Object,
        options: WriteOptions,
    ) -> web.Response:
        subresource = request.match_info.get("subresource", "")
        new = self._writer.update(resource, current, body, options, subresource=subresource)
        return answer(new, 200, options)

    async def _delete(self, request: web.Request) -> web.Response:
        resource = self._resource(request)
        options = await requests.delete_options(request)
        current = self._current(request, resource)
        left = self._writer.delete(resource, current, options)
        return answer(left or deleted(resource, current))

    async def _delete_collection(self, request: web.Request) -> web.Response:
        resource = self._resource(request)
        options = await requests.delete_options(request)
        found = self._selected(request, resource)
        for content in found:
            self._writer.delete(resource, content, options)
        return answer(list_of(resource, found, {"resourceVersion": str(self._storage.revision)}))

    def _selected(self, request: web.Request, resource: Resource) -> list[Object]:
        matches = _selector(request, resource)
        namespace = request.match_info.get("namespace", "")
        return [found for found in self._storage.all(resource, namespace) if matches(found)]

    async def _list(self, request: web.Request) -> web.StreamResponse:
        resource = self._resource(request)
        if requests.is_set(request, "watch"):
            return await self._watch(request, resource)
        page = requests.page(request, self._storage.revision)
        self._storage.log(resource).since(page.revision)  # 410 for a page that is too old
        found = [each for each in self._selected(request, resource) if place_of(each) > page.behind]
        metadata: Object = {"resourceVersion": str(page.revision)}
        if page.limit and len(found) > page.limit:
            if not {"labelSelector", "fieldSelector"} & set(request.query):
                metadata["remainingItemCount"] = len(found) - page.limit
            found = found[: page.limit]
            metadata["continue"] = requests.continue_token(found[-1], page.revision)
        if requests.table_wanted(request):
            content = self._table(request, resource, found, str(page.revision))
            return answer({**content, "metadata": metadata})
        return answer(list_of(resource, found, metadata))

    async def _watch(self, request: web.Request, resource: Resource) -> web.StreamResponse:
        streams_list = requests.is_set(request, "sendInitialEvents")
        watch = Watch(
            resource,
            request.match_info.get("namespace", ""),
            _selector(request, resource),
            0 if streams_list else requests.revision(request),
            with_bookmarks=requests.is_set(request, "allowWatchBookmarks"),
            marks_start=streams_list,
            seconds=requests.watch_seconds(request),
        )
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        as_table, is_first = requests.table_wanted(request), True
        async for event in events(self._storage, watch):
            told = event
            if as_table and event["type"] != "ERROR":
                content = event["object"]
                shown = self._table(
                    request, resource, [content], revision_of(content), with_columns=is_first
                )
                told, is_first = {"type": event["type"], "object": shown}, False
            try:
                await response.write(json.dumps(told).encode() + b"\n")
            except ConnectionResetError:
                break  # the watcher has gone: that is how watches end
        return response

    def _table(
        self,
        request: web.Request,
        resource: Resource,
        contents: Sequence[Object],
        revision: str,
        *,
        with_columns: bool = True,
    ) -> Object:
        return table(
            resource,
            contents,
            revision=revision,
            include=request.query.get("includeObject", "Metadata"),
            now=self._clock(),
            with_columns=with_columns,
        )

    async def _token(self, request: web.Request) -> web.Response:
        path, body = request.match_info, await requests.body(request)
        if not self._storage.find(SERVICE_ACCOUNTS, path["namespace"], path["name"]):
            raise errors.not_found(SERVICE_ACCOUNTS, path["name"])
        seconds = (body.get("spec") or {}).get("expirationSeconds") or TOKEN_SECONDS
        if not isinstance(seconds, int):
            raise errors.bad_request("spec.expirationSeconds: it must be a number")
        token, end = self._tokens.issue(seconds)
        status = {"token": token, "expirationTimestamp": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
        kind = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {}}
        spec = {"expirationSeconds": seconds, "audiences": []}
        return answer({**kind, **body, "spec": spec, "status": status}, 201)


async def _review(request: web.Request) -> web.Response:
    body = await requests.body(request)
    kind = {"kind": "SelfSubjectAccessReview", "apiVersion": discovery.REVIEWS_VERSION}
    status = {"allowed": True, "reason": "the emulator has no access control"}
    return answer({**kind, "metadata": {}, **body, "status": status}, 201)


def _told(content: Callable[[web.Request], Object]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return answer(content(request))

    return handle


def _api_version(request: web.Request) -> str:
    path = request.match_info
    return f"{path['group']}/{path['version']}" if "group" in path else path["version"]


def _selector(request: web.Request, resource: Resource) -> Test:
    query = request.query
    return selector(resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))
