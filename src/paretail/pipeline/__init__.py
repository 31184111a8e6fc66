"""The only package that knows every station: configuration, import, training, bundles, recommending, evaluating."""
