"""The whole story, told and checked: from a bad branch name over a merge and two promotions to a
model that is refused.

Everything a person does here goes through Git, or through the pages' own calls;
everything the bot does is read back from the neighbours, never from the bot.
"""

import json
import re
import signal
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from sandbox.bot_process import HERE, BotProcess
from sandbox.ports import free_port
from sandbox.telling import Telling, UntrueError
from sandbox.world import World

TRAINING = "projects/ExampleTrainingProject"
JOB = "nightly-scoring"
MODEL = "diabetes_model"
CLEO = "Cleo Martin"
PNG = b"\x89PNG\r\n"
SOON = 1.0
"""Seconds within which a command is to be liked."""


def main(*, keep: bool = False) -> int:
    """Play it; 0 when all of it came true. With `keep` everything stays up until Ctrl-C."""
    telling = Telling()
    with tempfile.TemporaryDirectory(prefix="signalman-testdrive-") as folder:
        root = Path(folder)
        world = World(root, HERE)
        bot = BotProcess(free_port(), root / "bot.log")
        try:
            _Story(telling, world, bot, root).play()
        except UntrueError as error:
            telling.console.print(f"\n[bold red]The story did not come true.[/bold red] {error}")
            telling.console.print(f"The end of the bot's log:\n{_end(bot.log)}", markup=False)
            return 1
        except KeyboardInterrupt:
            return 130
        else:
            telling.summary()
            telling.console.print("\n[bold green]All of it came true.[/bold green]")
            if keep:
                _keep(telling, world, bot)
            return 0
        finally:
            bot.stop()
            world.stop()


class _Story:
    def __init__(self, telling: Telling, world: World, bot: BotProcess, root: Path) -> None:
        self.tell = telling
        self.world = world
        self.bot = bot
        self.root = root
        self.good = 0
        self.merged = ""
        self.worse = 0
        self.reason = ""

    def play(self) -> None:
        """All parts in order."""
        self.start()
        self.bad_branch_name()
        self.good_pull_request()
        self.merge()
        self.promotion_by_stage()
        self.promotion_by_alias()
        self.score()
        refused = self.worse_model()
        self.commands()
        self.better_model(refused)
        report = self.report(self.worse)
        self.tell.show(f"Pull request !{self.worse}, as it stands", "\n\n---\n\n".join(report))

    def start(self) -> None:
        tell, world = self.tell, self.world
        tell.chapter("Everything starts")
        world.start()
        tell.say(
            "A stand-in Azure DevOps, made from this repository, listens at "
            f"{world.azure.organization_url}."
        )
        tell.say(
            "A stand-in Databricks, which really runs what it is given, listens at "
            f"{world.databricks.url}."
        )
        tell.say(f"A real MLflow server listens at {world.mlflow.url}.")
        self.bot.start(world.environment(self.bot.url, self.root / "var"))
        world.subscribe(self.bot.url)
        tell.say(f"Signalman's web and worker run, as the Procfile says, at {self.bot.url}.")

    def bad_branch_name(self) -> None:
        tell, azure = self.tell, self.world.azure
        tell.chapter("A branch name that Databricks cannot use")
        azure.push(
            "feature/alpha.v2",
            {f"{TRAINING}/README.md": "Trains on the diabetes data.\n"},
            "Say what it is for",
        )
        number = azure.open_pull_request("feature/alpha.v2", title="Say what the training is for")
        tell.say(f"Ada pushes the branch feature/alpha.v2 and opens pull request !{number}.")
        status = tell.wait("waiting for the verdict", lambda: self.verdict(number), usually=1)
        tell.verify("The status signalman/validate is failed.", status["state"] == "failed", status)
        first, *_ = self.report(number)
        tell.verify(
            "The comment names the characters at fault, `/` and `.`.",
            "`/`" in first and "`.`" in first,
            first,
        )
        tell.verify(
            "It suggests a name that is free: feature_alpha_v2.",
            "`feature_alpha_v2`" in first,
            first,
        )
        tell.verify("Not one run was started.", not self.world.databricks.runs())
        azure.abandon(number)

    def good_pull_request(self) -> None:
        tell, azure, databricks = self.tell, self.world.azure, self.world.databricks
        tell.chapter("A pull request that trains and scores")
        scoring = (HERE / "projects/ExampleScoringProject/MLproject").read_text(encoding="utf-8")
        changes = {
            f"{TRAINING}/README.md": "Trains an ElasticNet on the diabetes data.\n",
            "projects/ExampleScoringProject/MLproject": f"# Scores a version it is given.\n{scoring}",  # noqa: E501 a table, or a text as it is sent
        }
        sha = azure.push("feature_alpha_v2", changes, "Say what both projects are for")
        self.good = number = azure.open_pull_request(
            "feature_alpha_v2", title="Say what both projects are for"
        )
        tell.say(
            f"She pushes the same as feature_alpha_v2 and opens pull request !{number} at "
            f"{sha[:7]}."
        )
        tell.wait("waiting for a first sign", lambda: self.status(number), usually=1)
        tell.say("The status is pending: the bot has seen it.")
        tell.wait("training on toy data", lambda: self.runs_ended(1), usually=12)
        tell.say("The training has ended on Databricks.")
        status = tell.wait(
            "scoring with what was trained", lambda: self.verdict(number), usually=12
        )
        tell.verify(
            f"The verdict is succeeded: {status['description']}.",
            status["state"] == "succeeded",
            status,
        )
        tell.verify(
            "It is posted on the iteration, so that a policy may require it.",
            bool(status.get("iterationId")),
        )
        comments = self.report(number)
        tell.verify("There is one thread with one comment.", len(comments) == 1, comments)
        tell.verify(
            "It shows the metrics of the training.",
            "`rmse`" in comments[0] and "`r2`" in comments[0],
            comments,
        )
        self.picture(number, "predicted_against_actual", "the plot that the training logged")
        self.log_page(comments[0])
        tell.verify(
            "It links the MLflow runs.",
            f"{self.world.mlflow.url}/#/experiments/" in comments[0],
            comments,
        )
        tell.verify(
            "It links the Databricks runs.",
            comments[0].count(f"[run page]({databricks.url}") == 2,
            comments,
        )
        version = self.world.mlflow.call("GET", "/api/2.0/mlflow/model-versions/search")[
            "model_versions"
        ][0]
        tell.verify(
            "The model is registered under the branch's name: feature_alpha_v2_model v1.",
            (version["name"], version["version"]) == ("feature_alpha_v2_model", "1"),
            version,
        )

    def merge(self) -> None:
        tell, azure, databricks = self.tell, self.world.azure, self.world.databricks
        tell.chapter("The merge")
        self.merged = azure.complete(self.good)
        tell.say(f"Ada completes the pull request; main is at {self.merged[:7]}.")
        replies = tell.wait("waiting for the workspace", lambda: self.replies(1), usually=2)
        tell.verify("The pull request is told what changed.", "Merged as" in replies[0], replies)
        hooks = databricks.tree("/Shared/mlflow_hooks")
        tell.verify(
            "/Shared/mlflow_hooks holds the hook notebooks.",
            any(path.endswith("/mlflow_scoring_hook") for path in hooks),
            hooks,
        )
        projects = databricks.tree(f"/Shared/{TRAINING}")
        tell.verify(
            "/Shared/projects holds the projects.",
            any(path.endswith("MLproject") for path in projects),
            projects,
        )
        job = self.job()
        tell.verify(
            f"The job {JOB} is there, with its schedule.", "schedule" in job["settings"], job
        )

    def promotion_by_stage(self) -> None:
        tell, databricks = self.tell, self.world.databricks
        tell.chapter("A promotion by stage (Databricks webhook)")
        self.train_fully("1")
        databricks.transition(MODEL, 1, "Production")
        tell.say(f"Ben moves {MODEL} v1 to Production in the registry.")
        self.pointed("1", 2)

    def promotion_by_alias(self) -> None:
        tell, mlflow = self.tell, self.world.mlflow
        tell.chapter("A promotion by alias (MLflow webhook)")
        self.train_fully("2")
        body = {"name": MODEL, "alias": "champion", "version": "2"}
        mlflow.call("POST", "/api/2.0/mlflow/registered-models/alias", body)
        tell.say(f"Ben gives the alias champion to {MODEL} v2 on the MLflow server.")
        self.pointed("2", 3)

    def score(self) -> None:
        tell, databricks = self.tell, self.world.databricks
        tell.chapter("The scoring job runs once")
        run = databricks.run_now(self.job()["job_id"])
        tell.say(f"Ben presses Run now on {JOB}.")
        ended = tell.wait("scoring all of the data", lambda: self.ended(run), usually=12)
        result = self.notebook_result(ended)
        tell.verify(
            f"It scored with {MODEL} v2, exactly.",
            (result["model_name"], str(result["model_version"])) == (MODEL, "2"),
            result,
        )
        tell.verify(
            f"It scored {result['metrics']['rows']:.0f} rows.",
            result["metrics"]["rows"] == 442,
            result,
        )
        for row in result["predictions"][:3]:
            shown = ", ".join(
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
                for key, value in row.items()
            )
            tell.say(f"  {shown}")

    def worse_model(self) -> str:
        """A pull request that is refused; gives its commit."""
        tell, azure = self.tell, self.world.azure
        tell.chapter("A pull request that makes the model worse")
        sha = self.push_alpha("5", "Penalise more, for a simpler model")
        self.worse = number = azure.open_pull_request("stronger_penalty", title="Penalise more")
        tell.say(f"Ada sets alpha to 5 and opens pull request !{number} at {sha[:7]}.")
        status = tell.wait("training on toy data", lambda: self.verdict(number), usually=8)
        tell.verify(
            f"The verdict is {status['state']}: {status['description']}.",
            status["state"] == "failed",
            status,
        )
        self.reason = status["description"].partition("refused: ")[2]
        compared = re.fullmatch(r"rmse [\d.]+ > [\d.]+ \(production v2 [\d.]+ \+ 2%\)", self.reason)
        tell.verify(
            "It gives the number, and what it may be beside the version that serves.",
            bool(compared),
            status,
        )
        first, *_ = self.report(number)
        tell.verify(
            "The report says the same in its first line.",
            self.reason in first.splitlines()[0],
            first,
        )
        self.picture(number, "rmse", "a chart of rmse beside main and production")
        tell.verify(
            "The thread is active: something has to be done.",
            self.thread(number)["status"] == "active",
        )
        return sha

    def commands(self) -> None:
        tell = self.tell
        tell.chapter("Commands from the pull request")
        answer = self.command("/mlops explain")
        worst = f"{self.reason.split()[3]} is the worst that may be merged"
        tell.verify(
            "It names the number, and the worst that may be merged.", worst in answer, answer
        )
        answer = self.command('/mlops override gate reason="we need it today"', author=CLEO)
        why = "Only model owners may do that"
        tell.verify(
            f"It tells who may: {answer[answer.find(why) :].strip()}", why in answer, answer
        )
        state = (self.status(self.worse) or {}).get("state")
        tell.verify("The verdict is what it was.", state == "failed", state)

    def better_model(self, refused: str) -> None:
        tell, number = self.tell, self.worse
        tell.chapter("The same pull request, improved")
        sha = self.push_alpha("0.01", "Penalise less instead")
        tell.say(f"Ada has tried some values; she sets alpha to 0.01 and pushes {sha[:7]}.")
        status = tell.wait("training on toy data", lambda: self.passed(number), usually=8)
        tell.verify(
            f"The verdict is succeeded: {status['description']}.",
            "vs production v2" in status["description"],
        )
        first, *replies = self.report(number)
        tell.verify(
            "The report says that it is better than what serves.",
            "**Better than production v2**" in first,
            first,
        )
        tell.verify(
            f"It lists {refused[:7]} under earlier commits, with its number.",
            f"- `{refused[:7]}` ❌ `ExampleTrainingProject refused: rmse" in first,
            first,
        )
        tell.verify(
            "One short reply, and no other, tells that the verdict has changed.",
            len(replies) == 1 and "Passes now" in replies[0],
            replies,
        )
        tell.verify(
            "The thread is closed; nothing has to be done.",
            self.thread(number)["status"] == "closed",
        )

    def push_alpha(self, alpha: str, message: str) -> str:
        """Push another default of the training's alpha to the branch stronger_penalty; gives the
        commit.
        """
        path = f"{TRAINING}/MLproject"
        before = (HERE / path).read_text(encoding="utf-8")
        after = re.sub(r"(alpha: .*default: )[\d.]+", rf"\g<1>{alpha}", before)
        return self.world.azure.push("stronger_penalty", {path: after}, message)

    def command(self, text: str, author: str | None = None) -> str:
        """Give a command in a thread of its own, wait for the like and the answer, and give the
        answer.
        """
        tell, azure, number = self.tell, self.world.azure, self.worse
        began = time.monotonic()
        thread = azure.comment(number, text, author=author)
        tell.say(f"{(author or 'Ada').split()[0]} writes: {text}")
        tell.wait(
            "waiting for the like",
            lambda: self.comments(number, thread)[0]["usersLiked"] or None,
            usually=1,
        )
        liked = time.monotonic() - began
        tell.verify(f"The bot likes that within {SOON:g} s.", liked <= SOON, f"{liked:.1f} s")
        answers = tell.wait(
            "waiting for the answer", lambda: self.comments(number, thread)[1:] or None, usually=1
        )
        tell.verify("It answers in the same thread, once.", len(answers) == 1, answers)
        return str(answers[0]["content"])

    def picture(self, number: int, name: str, what: str) -> None:
        """Verify that the report shows a picture, and that the picture is there."""
        first, *_ = self.report(number)
        shown = re.search(rf"!\[[^\]]*\]\((\S*/attachments/\S*{name}\S*)", first)
        self.tell.verify(f"It shows {what}.", shown is not None, first)
        headers = {"Authorization": f"Bearer {self.world.keys.azure}"}
        sent = requests.get(shown[1] if shown else "", headers=headers, timeout=30)
        self.tell.verify(
            "It is a picture, attached to the pull request.",
            sent.content.startswith(PNG),
            sent.status_code,
        )

    def log_page(self, report: str) -> None:
        """Verify that the page which the report links holds what the training printed."""
        link = re.search(r"\[log\]\((\S+/runs/[^)]+)\)", report)
        self.tell.verify("It links the log of each run.", link is not None, report)
        page = requests.get(link[1] if link else "", timeout=30).text
        self.tell.verify(
            "The bot's page shows the training's log.", "Training ElasticNet(" in page, page
        )

    def train_fully(self, version: str) -> None:
        """What the seed calls manual retraining: the hook notebook, on all the data, from the
        merged commit.
        """
        parameters = {"project": "ExampleTrainingProject", "model_name": MODEL, "data": "full"}
        task = {
            "task_key": "train",
            "notebook_task": {
                "notebook_path": "/Shared/mlflow_hooks/mlflow_training_hook",
                "base_parameters": parameters,
            },
            "new_cluster": json.loads(
                (HERE / TRAINING / "cluster.json").read_text(encoding="utf-8")
            ),
        }
        run = self.ask(
            "POST", "/api/2.2/jobs/runs/submit", {"run_name": "manual retraining", "tasks": [task]}
        )["run_id"]
        self.tell.say("Ben runs the training hook on all of the data, from the merged commit.")
        ended = self.tell.wait("training on all of the data", lambda: self.ended(run), usually=12)
        result = self.notebook_result(ended)
        self.tell.verify(
            f"It registers {MODEL} v{version}, tagged with the merged commit.",
            (str(result["model_version"]), result["commit"]) == (version, self.merged),
            result,
        )

    def pointed(self, version: str, replies: int) -> None:
        wanted = {
            "signalman_model": MODEL,
            "signalman_version": version,
            "signalman_commit": self.merged,
        }
        job = self.tell.wait(
            "scoring toy data with it first",
            lambda: (
                job if (job := self.job())["settings"]["tags"].items() >= wanted.items() else None
            ),
            usually=8,
            most=90,
        )
        self.smoke_run(version)
        parameters = {one["name"]: one["default"] for one in job["settings"]["parameters"]}
        self.tell.verify(
            f"The job {JOB} scores with {MODEL} v{version} from its next run on.",
            (parameters["model_name"], parameters["model_version"]) == (MODEL, version),
            parameters,
        )
        told = self.tell.wait("waiting for the reply", lambda: self.replies(replies), usually=1)
        self.tell.verify(
            "The pull request it came from is told.", f"**v{version}**" in told[-1], told
        )
        rows = re.search(r"smoke run passed: `rows` (\d+)", told[-1])
        self.tell.verify(
            f"It says that {rows[1] if rows else 'no'} rows were scored first.",
            rows is not None,
            told,
        )

    def smoke_run(self, version: str) -> None:
        """Verify that a version was tried, once, with the scoring project of the merged commit."""
        call = self.world.mlflow.call
        named = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=/Shared/signalman/smoke"
        there = call("GET", named)["experiment"]["experiment_id"]
        asked = {"experiment_ids": [there], "filter": f"tags.`signalman.version` = '{version}'"}
        runs = call("POST", "/api/2.0/mlflow/runs/search", asked).get("runs", [])
        tags = [{one["key"]: one["value"] for one in run["data"]["tags"]} for run in runs]
        self.tell.verify(
            f"Before that, one run on the cluster scored toy data with {MODEL} v{version}.",
            [
                (run["info"]["status"], mine["signalman.commit"])
                for run, mine in zip(runs, tags, strict=True)
            ]
            == [("FINISHED", self.merged)],
            tags,
        )

    # -- reading what is there

    def status(self, number: int) -> Mapping[str, Any] | None:
        validate = {"genre": "signalman", "name": "validate"}
        ours = [one for one in self.world.azure.statuses(number) if one["context"] == validate]
        return max(ours, key=lambda one: one["id"], default=None)

    def verdict(self, number: int) -> Mapping[str, Any] | None:
        found = self.status(number)
        return found if found and found["state"] != "pending" else None

    def passed(self, number: int) -> Mapping[str, Any] | None:
        found = self.verdict(number)
        return found if found and found["state"] == "succeeded" else None

    def thread(self, number: int) -> Mapping[str, Any]:
        threads = [
            one
            for one in self.world.azure.threads(number)
            if "signalman.thread" in (one["properties"] or {})
        ]
        if len(threads) != 1:
            raise UntrueError(f"The bot has exactly one thread -- this is not so. Found: {threads}")
        return threads[0]

    def report(self, number: int) -> list[str]:
        return [comment["content"] for comment in self.thread(number)["comments"]]

    def comments(self, number: int, thread: int) -> list[Mapping[str, Any]]:
        return next(
            one["comments"] for one in self.world.azure.threads(number) if one["id"] == thread
        )

    def replies(self, count: int) -> list[str] | None:
        found = self.report(self.good)[1:]
        return found if len(found) >= count else None

    def runs_ended(self, count: int) -> bool | None:
        ended = [run for run in self.world.databricks.runs() if run["state"].get("result_state")]
        return True if len(ended) >= count else None

    def ended(self, run: int) -> Mapping[str, Any] | None:
        shown = self.ask("GET", f"/api/2.2/jobs/runs/get?run_id={run}")
        return shown if shown["state"].get("result_state") else None

    def job(self) -> Mapping[str, Any]:
        found = [job for job in self.world.databricks.jobs() if job["settings"]["name"] == JOB]
        if len(found) != 1:
            raise UntrueError(f"There is one job {JOB} -- this is not so. Found: {found}")
        return found[0]

    def notebook_result(self, run: Mapping[str, Any]) -> dict[str, Any]:
        output = self.ask(
            "GET", f"/api/2.2/jobs/runs/get-output?run_id={run['tasks'][0]['run_id']}"
        )
        self.tell.verify(
            "The run has succeeded.", run["state"]["result_state"] == "SUCCESS", output
        )
        return dict(json.loads(output["notebook_output"]["result"]))

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """What a person asks of the workspace, with their own token."""
        headers = {"Authorization": f"Bearer {self.world.keys.person}"}
        response = requests.request(
            method, f"{self.world.databricks.url}{path}", json=body, headers=headers, timeout=30
        )
        response.raise_for_status()
        return dict(response.json())


def _end(log: Path) -> str:
    return (
        "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        if log.exists()
        else ""
    )


def _keep(telling: Telling, world: World, bot: BotProcess) -> None:
    azure = f"{world.azure.organization_url}/ml/_git/models/pullrequests"
    telling.console.print(
        f"\nIt all stays up until Ctrl-C. Look at\n  pull requests  {azure}\n  workspace      "
        f"{world.databricks.url}\n"
        f"  MLflow         {world.mlflow.url}\n  the bot        {bot.url}",
        markup=False,
    )
    try:
        signal.pause()
    except KeyboardInterrupt:
        telling.console.print("Stopped.")
