"""Sources in an object store: the dataset is that of the same files in folders."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from matting_data.building.build import build
from matting_data.errors import StorageError, UsageError
from matting_data.recipes.recipe_file import load
from matting_data.sources.find_files import image_tree
from matting_data.sources.inputs import local_files, read_input, state_of
from matting_data.sources.source_paths import RemotePath, source_path
from matting_data.upkeep.verify import verify
from tests.support.buckets import Bucket
from tests.support.projects import Project

boto3 = pytest.importorskip("boto3")


def upload(bucket: Bucket, folder: Path, prefix: str) -> None:
    client = boto3.client("s3")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(folder).as_posix()}"
            client.put_object(Bucket=bucket.name, Key=key, Body=path.read_bytes())


def moved(project: Project, bucket: Bucket) -> Project:
    """Let the recipe name a bucket for every folder, and take the folders away."""
    for part in ("foregrounds", "backgrounds"):
        for source in project.recipe[part]["sources"]:
            for key in {"root", "image", "alpha", "images"} & source.keys():
                folder = project.root / source[key]
                upload(bucket, folder, f"sources/{source[key]}")
                source.setdefault("name", folder.name)
                source[key] = bucket.url(f"sources/{source[key]}")
                folder.rename(folder.with_name(f"away-{folder.name}"))
    return project


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bucket_of_sources_builds_what_folders_build(project: Project, bucket: Bucket, workers: int) -> None:
    reference = project.build(out=project.root / "reference").index
    moved(project, bucket)
    index = build(project.load(), bucket.url("out"), workers).index
    assert index["content_sha256"] == reference["content_sha256"]
    assert index["ledger"] == reference["ledger"]
    assert verify(bucket.url("out"), True, 4, None, 1).problems == []


def test_what_changed_or_vanished_since_it_was_checked_fails_alone(project: Project, bucket: Bucket) -> None:
    moved(project, bucket)
    reference = project.build().index
    client, key = boto3.client("s3"), "sources/photos/b01.jpg"
    original = client.get_object(Bucket=bucket.name, Key=key)["Body"].read()
    client.put_object(Bucket=bucket.name, Key=key, Body=b"no photograph")
    index = project.build(out=project.root / "other").index
    assert index["ledger"]["backgrounds"]["rejected"]["unreadable"] == 1
    client.put_object(Bucket=bucket.name, Key=key, Body=original)
    assert project.build(out=project.root / "again").index["content_sha256"] == reference["content_sha256"]
    record = RemotePath(source_path(project.load(), bucket.url("sources/photos")).root)
    client.delete_object(Bucket=bucket.name, Key=key)
    assert state_of(record / "b01.jpg") == "missing"


def test_a_url_without_files_or_bucket_is_one_sentence(project: Project, bucket: Bucket) -> None:
    project.recipe["foregrounds"]["sources"][0]["root"] = bucket.url("nothing")
    with pytest.raises(UsageError, match=r"there is nothing below s3://people/nothing; correct the URL"):
        project.build()
    project.recipe["foregrounds"]["sources"][0]["root"] = "gopher://people"
    with pytest.raises(UsageError, match="gopher"):
        project.build()


def test_a_store_that_does_not_answer_ends_the_build_with_a_sentence(
    project: Project, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved(project, bucket)
    monkeypatch.setattr("matting_data.storage.base.back_off", lambda *_: 0.0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fsspec.filesystem("s3").clear_instance_cache()
    source_path.__globals__["_opened"].cache_clear()
    with pytest.raises(
        StorageError, match=r"cannot read s3://people/sources/photos/ \(tried 4 times\): .*run the same command again"
    ):
        project.build()
    source_path.__globals__["_opened"].cache_clear()


def test_names_that_are_no_paths_and_hidden_ones(tmp_path: Path) -> None:
    store = fsspec.filesystem("memory")
    try:
        for name in ("a/x.jpg", ".hidden/y.jpg", "a/.z.jpg", "notes.txt"):
            store.pipe_file(f"/odd/{name}", b"x" * 7)
        recipe = load(None)
        root = source_path(recipe, "memory://odd")
        assert image_tree(root, "root") == ["a/x.jpg"]
        assert read_input(root / "a/x.jpg") == b"x" * 7 and list(local_files([root / "a/x.jpg", tmp_path])) == [
            tmp_path
        ]
        store.pipe_file("/odd/b/../c.jpg", b"x")
        with pytest.raises(UsageError, match=r"'b/\.\./c\.jpg' below memory://odd is no path of a file"):
            image_tree(root, "root")
    finally:
        store.rm("/odd", recursive=True)
