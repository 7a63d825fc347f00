"""The apps whose synth is measured, each a process of its own as any CDK app is."""
