"""Fetch one file of a project from the index that pip is configured for, also of a kind that pip itself
no longer takes (an egg): fetch_egg.py PROJECT FILE FOLDER."""
import hashlib
import os
import sys

from pip._internal.commands import create_command
from pip._internal.index.collector import LinkCollector, parse_links
from pip._internal.models.link import Link

project, name, folder = sys.argv[1:]
command = create_command("download")
options, _ = command.parse_args([project])
with command.main_context():
    session = command.get_default_session(options)
    collector = LinkCollector.create(session, options=options)
    for url in collector.search_scope.get_index_urls_locations(project):
        page = collector.fetch_response(Link(url))
        for link in parse_links(page) if page else ():
            if link.filename != name:
                continue
            with session.get(link.url_without_fragment) as answer:
                answer.raise_for_status()
                content = answer.content
            if link.hash_name != "sha256" or hashlib.sha256(content).hexdigest() != link.hash:
                sys.exit(f"{name}: it is not what the index says")
            temporary = os.path.join(folder, name + ".part")
            with open(temporary, "wb") as out:
                out.write(content)
            os.replace(temporary, os.path.join(folder, name))
            sys.exit(0)
sys.exit(f"the index has no {name}")
