"""Files and tables as people have them: rows that fit no file, linked folders, names of other systems, one folder."""

from __future__ import annotations

import json
import tarfile
import unicodedata
from pathlib import Path

import polars as pl
import pytest

from matting_data.errors import UsageError
from matting_data.imaging import encode
from tests.support.commands import RunCommand
from tests.support.projects import Project, draw_person, draw_photo

PAIRS = {"layout": "pairs", "image": "image", "alpha": "alpha", "colour": "as_is"}


def save_pair(root: Path, image: str, alpha: str, seed: int) -> None:
    person = draw_person(seed)
    for name, pixels in ((f"image/{image}", person[..., :3]), (f"alpha/{alpha}", person[..., 3])):
        if name.endswith("/"):
            continue
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encode.png(pixels.copy()) if pixels.ndim == 3 else encode.matte_png(pixels.copy()))


def table(project: Project, name: str) -> pl.DataFrame:
    return pl.read_parquet(project.out / f"{name}.parquet", glob=False)


def notes(project: Project) -> list[str]:
    said: list[str] = json.loads((project.out / "dataset.json").read_text())["notes"]
    return said


def use_pairs(project: Project, **changes: object) -> None:
    project.recipe["foregrounds"] = {"sources": [{**PAIRS, **changes}], "split": {"test": 0}, "same_person_distance": 0}


def test_rows_of_a_metadata_table_that_name_no_image_are_refused_and_nobody_lands_in_two_splits_for_them(
    project: Project, command: RunCommand
) -> None:
    rows = ["p00.png,anna", "p01.PNG,anna", "./p02.png,ben", "people/p03.png,ben", "p04.jpg,carl", "x\\p05.png,carl"]
    (project.root / "people.csv").write_text("\n".join(["file,person", *rows]) + "\n")
    source = project.recipe["foregrounds"]["sources"][0]
    source["metadata"] = "people.csv"
    code, _, said = command("build", project.write_recipe(), "--out", project.out, "--workers", 1)
    assert code == 2
    assert "4 rows name no image (lines 3, 5, 6, 7; the first is 'p01.PNG'; did you mean 'p01.png')" in said
    source["unmatched_rows"] = "note"
    project.build()
    assert table(project, "foregrounds")["person"].drop_nulls().to_list() == ["anna", "ben"]
    assert any("4 rows name no image (lines 3, 5, 6, 7" in note for note in notes(project))
    rows = ["p00.png,anna", "./p01.png,anna", "p02.png,ben", ".\\p03.png,ben", "p04.png,carl", "p05.png,carl"]
    (project.root / "people.csv").write_text("\n".join(["file,person", *rows]) + "\n")
    out = project.root / "all"
    project.build(out=out)
    people = pl.read_parquet(out / "foregrounds.parquet", glob=False)
    assert people["person"].null_count() == 0
    assert people.group_by("person").agg(pl.col("split").n_unique())["split"].to_list() == [1, 1, 1]


def test_photographs_below_a_linked_folder_are_used_and_links_in_circles_are_refused(project: Project) -> None:
    tree = project.root / "tree"
    tree.mkdir()
    (tree / "train").symlink_to(project.root / "photos")
    (tree / "own.jpg").write_bytes(encode.jpeg(draw_photo(99, (120, 120))))
    (tree / "phone").write_bytes(encode.jpeg(draw_photo(98, (120, 120))))
    (tree / "lost").symlink_to(project.root / "gone")
    project.recipe["backgrounds"]["sources"] = [{"layout": "folder", "root": "tree"}]
    project.build()
    assert len(table(project, "backgrounds")) == 13
    assert "tree: 1 links lead nowhere, such as lost" in notes(project)
    assert any(note.startswith("tree: 1 files are images by content but not by suffix") for note in notes(project))
    (tree / "circle").symlink_to(tree)
    with pytest.raises(UsageError, match=r"backgrounds\.sources\[0\]\.root: the link .*circle leads back to .*tree"):
        project.build(out=project.root / "other")


def test_linked_folders_of_people_mattes_and_annotations_are_followed(project: Project) -> None:
    store = project.root / "store"
    for seed in range(3):
        save_pair(store, f"{seed}.png", f"{seed}.png", seed)
    for folder in ("image", "alpha"):
        (project.root / folder).mkdir()
        (project.root / folder / "clip").symlink_to(store / folder)
    use_pairs(project)
    photos = project.root / "SUN397" / "a" / "abbey"
    photos.mkdir(parents=True)
    for number, path in enumerate(sorted((project.root / "photos").iterdir())):
        (photos / f"sun_{chr(97 + number) * 16}.jpg").write_bytes(path.read_bytes())
    (project.root / "labels" / "abbey").mkdir(parents=True)
    (project.root / "Annotations").mkdir()
    (project.root / "Annotations" / "a").symlink_to(project.root / "labels")
    said = "<annotation><object><name>person</name></object></annotation>"
    (project.root / "labels" / "abbey" / f"sun_{'a' * 16}.xml").write_text(said)
    project.recipe["backgrounds"]["sources"] = [{"layout": "sun", "root": "SUN397", "annotations": "Annotations"}]
    project.build()
    assert table(project, "foregrounds")["state"].to_list() == ["ok"] * 3
    assert table(project, "backgrounds").filter(reason="person_polygon")["path"].to_list() == [
        f"a/abbey/sun_{'a' * 16}.jpg"
    ]


def test_links_inside_a_tar_are_followed_and_lost_ones_have_a_row(project: Project) -> None:
    tar = project.root / "SUN397.tar"
    with tarfile.open(tar, "w") as archive:
        for number, path in enumerate(sorted((project.root / "photos").iterdir())):
            archive.add(path, f"SUN397/a/abbey/sun_{chr(97 + number) * 16}.jpg")
        for name, target in {"SUN397/train": "a", "SUN397/gone.jpg": "nowhere.jpg"}.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    project.recipe["backgrounds"] |= {"sources": [{"layout": "sun", "root": "SUN397.tar"}], "duplicate_distance": -1}
    project.build()
    found = table(project, "backgrounds")
    assert found.filter(pl.col("path").str.starts_with("SUN397/train/abbey/"))["sha256"].null_count() == 0
    assert len(found) == 25
    (lost,) = found.filter(reason="outside").to_dicts()
    assert (lost["path"], lost["detail"]) == (
        "SUN397/gone.jpg",
        "it is a link to 'SUN397/nowhere.jpg', which its tar does not hold",
    )


@pytest.mark.parametrize(("one", "other"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_that_look_the_same_and_differ_in_unicode_normalisation_pair(
    project: Project, one: str, other: str
) -> None:
    spelled = [unicodedata.normalize(form, "José") for form in (one, other)]
    save_pair(project.root, f"{spelled[0]}.png", f"{spelled[1]}.png", 0)
    save_pair(project.root, "b.png", "b.png", 1)
    (project.root / "people.csv").write_text(f"file,person\n{spelled[1]}.png,{spelled[0]}\nb.png,{spelled[1]}\n")
    use_pairs(project, metadata="people.csv")
    project.build()
    people = table(project, "foregrounds")
    assert people["state"].to_list() == ["ok", "ok"]
    assert people["person"].to_list() == [unicodedata.normalize("NFC", "José")] * 2


def test_no_file_is_its_own_matte(project: Project) -> None:
    for seed in range(3):
        person = draw_person(seed)
        (project.root / "both").mkdir(exist_ok=True)
        (project.root / "both" / f"p{seed}_fg.png").write_bytes(encode.matte_png(person[..., 0].copy()))
        (project.root / "both" / f"p{seed}_alpha.png").write_bytes(encode.matte_png(person[..., 3].copy()))
    (project.root / "link").symlink_to(project.root / "both")
    for image, alpha in (("both", "both"), ("both", "./both/"), ("both", "link"), ("link", "people/../both")):
        use_pairs(project, image=image, alpha=alpha)
        with pytest.raises(UsageError, match=r"image and alpha name the same folder .* no file is its own matte"):
            project.build()


def test_a_link_to_the_image_or_a_copy_of_it_is_no_matte(project: Project) -> None:
    for seed, name in enumerate(("soft", "hard", "copy", "real")):
        save_pair(project.root, f"{name}.png", f"{name}.png", seed)
        image, alpha = (project.root / folder / f"{name}.png" for folder in ("image", "alpha"))
        image.write_bytes(encode.matte_png(draw_person(seed)[..., 0].copy()))
        if name != "real":
            alpha.unlink()
    root = project.root
    (root / "alpha" / "soft.png").symlink_to(root / "image" / "soft.png")
    (root / "alpha" / "hard.png").hardlink_to(root / "image" / "hard.png")
    (root / "alpha" / "copy.png").write_bytes((root / "image" / "copy.png").read_bytes())
    use_pairs(project)
    project.build()
    reasons = dict(table(project, "foregrounds").select("image", "reason").iter_rows())
    assert reasons == {"soft.png": "no_matte", "hard.png": "no_matte", "copy.png": "no_matte", "real.png": None}


def test_equal_names_in_different_subfolders_never_pair_and_a_missing_file_stays_missing(project: Project) -> None:
    for clip, frame in (("0001", 1), ("0001", 2), ("0002", 2)):
        save_pair(project.root, f"{clip}/{frame:05d}.jpg", "", int(clip) * 10 + frame)
    for clip, frame in (("0001", 2), ("0002", 1), ("0002", 2)):
        person = draw_person(int(clip) * 10 + frame)
        path = project.root / "alpha" / clip / f"{frame:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode.matte_png(person[..., 3].copy()))
    use_pairs(project)
    project.build()
    rows = table(project, "foregrounds").select("image", "alpha", "state", "reason").rows()
    assert rows == [
        ("0001/00001.jpg", None, "rejected", "no_matte"),
        ("0001/00002.jpg", "0001/00002.png", "ok", None),
        ("0002/00002.jpg", "0002/00002.png", "ok", None),
        (None, "0002/00001.png", "rejected", "no_image"),
    ]


def test_files_that_differ_by_case_only_stay_apart_up_to_the_names_of_exported_files(
    project: Project, command: RunCommand
) -> None:
    (project.root / "people" / "P00.png").write_bytes(encode.png(draw_person(77)))
    if len(list((project.root / "people").iterdir())) == 6:
        pytest.skip("this file system does not tell names apart by case")
    project.build()
    ids = table(project, "foregrounds")["id"].to_list()
    assert len({identity.lower() for identity in ids}) == 7
    out = project.root / "export"
    assert command("export", project.out, "--to", "composition-1k", "--out", out)[0] == 0
    names = [str(path.relative_to(out)).lower() for path in out.rglob("*")]
    assert len(set(names)) == len(names)
