"""The demo: the whole main job on a scheme of our own, over real HTTP."""
